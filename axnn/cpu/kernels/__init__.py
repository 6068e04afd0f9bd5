"""Kernels for ordinary processors, compiled and in plain numpy."""
