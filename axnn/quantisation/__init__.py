"""From floating point to integers: scales, quantised forward and backward passes, `QuantNet`."""
