"""The model's way: resolve once, ship, verify, load once, stay resident. Knows no tables."""
