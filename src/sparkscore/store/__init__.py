"""Everything that commits to Delta, and what reads its history. Knows no models and no gates."""
