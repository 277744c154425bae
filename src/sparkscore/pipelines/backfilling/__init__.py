"""The steps of `backfill`."""
