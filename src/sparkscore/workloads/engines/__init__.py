"""Language models in the process of an executor."""
