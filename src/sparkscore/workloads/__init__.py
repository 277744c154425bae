"""Workloads: what batch inference is used for, each an MLflow model and a config. The engine knows nothing of them."""
