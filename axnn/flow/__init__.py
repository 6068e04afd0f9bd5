"""The steps of a run over its folder: applications, training to evaluation, energy."""
