"""Bytes to images, images to network inputs, folders to samples."""
