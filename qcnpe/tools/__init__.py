"""External programs: finding them, starting them in a made environment, ending them, their errors.

Every subprocess of the project is started by `qcnpe.tools.process`.
"""
