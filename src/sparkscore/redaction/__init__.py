"""Keeps secrets out of every text that leaves the process: known ones by their values, others by how they look."""
