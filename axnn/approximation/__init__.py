"""The AxNN method: how resilient each neuron is; the loop that lowers precision and retrains."""
