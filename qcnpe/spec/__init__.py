"""The integer truth: what the engine computes, bit for bit, in numpy."""
