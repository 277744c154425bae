"""What happens to predictions after the model: columns, the one commit, views."""
