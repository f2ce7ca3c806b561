"""Networks, weights files and prediction."""
