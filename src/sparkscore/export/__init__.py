"""Copies of what is published, for readers that do not read Delta."""
