"""The steps of maintenance."""
