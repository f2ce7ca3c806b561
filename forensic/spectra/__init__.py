"""Spectra of images: profiles that compare with those of a class, and views for the eye."""
