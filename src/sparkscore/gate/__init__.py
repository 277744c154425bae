"""Expectations and verdicts: judges frames, names the rows that cannot be scored. Writes nothing."""
