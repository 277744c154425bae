"""The steps of `optimize-model`."""
