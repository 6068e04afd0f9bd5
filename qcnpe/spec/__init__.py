"""The bit-exact reference: what the engine computes, in numpy integers."""
