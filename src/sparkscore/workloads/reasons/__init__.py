"""Reasons: which features have made a prediction what it is, and by how much."""
