"""Everything that commits to Delta, and what reads its history. Knows nothing of models and gates."""
