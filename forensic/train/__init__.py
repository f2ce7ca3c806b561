"""Training by progressive open space expansion (Algorithm 1): from a layout of images to a run folder with weights."""
