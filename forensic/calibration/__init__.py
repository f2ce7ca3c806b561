"""From scores to what may be claimed: thresholds, conformal p, likelihood ratios and their bounds. No torch here."""
