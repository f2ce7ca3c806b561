"""How well scores tell known from unknown and classes from one another; NumPy only."""
