"""The engine in Amaranth, one component a file."""
