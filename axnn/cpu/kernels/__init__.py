"""Compiled kernels for ordinary processors."""
