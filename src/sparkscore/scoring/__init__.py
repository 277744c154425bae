"""The kernel (batch to batch) and the transports that bring rows to it. Commits nothing."""
