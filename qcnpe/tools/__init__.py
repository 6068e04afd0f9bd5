"""External programs: finds, starts and ends them, and explains their errors.

Every subprocess of the project is started by `qcnpe.tools.process`.
"""
