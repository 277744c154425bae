"""ONNX graphs without MLflow."""
