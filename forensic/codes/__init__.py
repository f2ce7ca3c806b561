"""Codes of everything a finding can say beside its verdict, and what they mean."""
