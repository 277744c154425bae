"""Typed row predicates: values fitted to a column's type, one evaluator for Spark and one for Arrow."""
