"""The axnn45 standard-cell library: transistor-level cells and their characterisation."""
