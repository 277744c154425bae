"""Texts to vectors: an embedding model that tokenises, orders and pads its texts itself."""
