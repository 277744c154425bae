"""Recommendations: pure numpy, saved models, whole jobs."""
