"""What every package needs of Spark and nothing of Delta: sessions, identifiers, types, errors, background jobs."""
