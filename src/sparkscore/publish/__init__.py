"""What happens to predictions after the model: columns, stage, the one MERGE, views."""
