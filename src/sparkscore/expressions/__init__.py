"""Typed expressions of `model.inputs`: types inferred once, one evaluator for Spark and one for Arrow that agree."""
