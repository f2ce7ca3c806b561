"""Two sets of images: made by one generator or by two, known to the weights or not."""
