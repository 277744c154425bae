"""One page per verb. Pages join the rooms and hand frames to the store; they never import one another."""
