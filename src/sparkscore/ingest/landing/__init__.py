"""Reads sources without versions, for their landing: which reader, which columns, which rows. Writes nothing."""
