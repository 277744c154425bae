"""Checks of a model's files before anything of it is imported."""
