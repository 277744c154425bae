"""Between Arrow and the types of a model's signature."""
