"""The choice of channels to approximate on an ordinary processor: the model and the search."""
