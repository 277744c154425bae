"""Steps of `stream`: its checkpoint, its source, one micro-batch, and what it tells."""
