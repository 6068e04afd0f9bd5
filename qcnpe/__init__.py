"""QC-NPE: the quality-configurable neuromorphic processing engine, its compiler and its driver."""
