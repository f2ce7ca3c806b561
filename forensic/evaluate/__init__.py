"""Weights against known and unknown images: accuracy, AUROC, OSCR, FPR95."""
