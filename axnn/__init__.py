"""Approximate neural networks: train, find the resilient neurons, approximate, quantise."""
