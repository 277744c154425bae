"""Pinned sources: which rows and columns a run reads, and at which version. Writes nothing."""
