"""What a case rejected, sorted into groups of like traces: hints for the eye, never a finding."""
