"""Forecasts: saved models, whole jobs."""
