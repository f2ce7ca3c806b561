"""Statistics of an image's high-pass residuals, in which a generator's up-sampling and last convolutions show."""
