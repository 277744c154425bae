"""One page per verb. Pages join the packages and hand frames to the store; they never import one another."""
