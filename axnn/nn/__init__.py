"""Networks in floating point: layers, network descriptions, training and retraining."""
