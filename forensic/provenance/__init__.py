"""What a picture file claims about its own origin; never part of a verdict."""
