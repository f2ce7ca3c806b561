"""The loss terms of the method, each by its equation number in the paper."""
