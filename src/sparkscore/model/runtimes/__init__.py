"""What executes a model: MLflow's pyfunc, scikit-learn, onnxruntime, PyTorch."""
