"""Which channels an ordinary processor computes approximately: the model and the search."""
