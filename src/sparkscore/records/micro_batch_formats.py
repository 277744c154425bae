"""The formats of what streams have landed."""

MICRO_BATCH_FORMAT = "micro_batch"
"""The format of what a stream has landed: rows of a micro-batch, which nobody can read from the source again."""
MICRO_BATCH_TEXT_FORMAT = "micro_batch_text"
"""The same where records of the source may be none: `CORRUPT_COLUMN` has their text."""
