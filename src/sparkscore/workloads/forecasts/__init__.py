"""Forecasts of many series: a row per series, with its history; exponential smoothing by statsmodels."""
