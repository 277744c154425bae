"""A faster model of a registered one: converts it to ONNX, reduces the graph, measures speed and agreement."""
