"""One module per verb. These modules join the packages and pass frames to the store; they never import one another."""
