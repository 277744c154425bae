"""Models: resolve once, ship, verify, load once, keep resident. Knows nothing of tables."""
