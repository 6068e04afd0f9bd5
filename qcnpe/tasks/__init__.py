"""Tasks: the same job for many items, in this process, in others, or on other machines.

The results do not depend on where a task runs. A task whose worker is killed is done again by
another one.
"""

from qcnpe.tasks.run import IN_THIS_PROCESS, Workplace, run_tasks

__all__ = ["IN_THIS_PROCESS", "Workplace", "run_tasks"]
