"""Approximate neural networks: train, find the resilient neurons, approximate, quantise."""

import os

# Before numpy loads its BLAS: more threads gain nothing on matrices of this size, and a sum whose
# order depends on the number of threads would make results differ from machine to machine.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
