"""How good predictions were, now that their truth is known: sums in, numbers with confidence out. No Spark, no I/O."""
