"""Two models over the same rows: how much they agree, and which of them is better. Numbers only, no I/O."""
