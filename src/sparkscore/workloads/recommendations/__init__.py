"""The best items for each user, by the products of their vectors."""
