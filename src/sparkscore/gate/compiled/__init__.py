"""Great Expectations' expectations, computed here: one pass over the rows for a suite, one more per shuffled column."""
