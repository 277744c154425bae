"""Great Expectations' own engine and result objects."""
