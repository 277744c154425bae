"""Ships a model to the executors, verifies and unpacks it there, and bounds what is kept."""
