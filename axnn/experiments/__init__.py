"""The paper's experiments on every application, with the controls that it lacks.

Each experiment of an application and a seed is a stage: it reads what stages before it wrote, and
writes its own files into the application's folder. A stage that was finished is not done again, one
that was interrupted goes on where it was.
"""
