"""Resolves a model once: registry, alias, version, private copy, digest."""
