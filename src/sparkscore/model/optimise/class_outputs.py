"""What classifiers make of their scores, as nodes of a graph."""

from typing import Any

import numpy as np

from sparkscore.model.optimise.graph_building import GraphBuilder


def add_class_probabilities(builder: GraphBuilder, scores: str, count: int) -> str:
    """The probabilities of two classes from one score, of several from one for each."""
    if count > 1:
        return builder.add_node("Softmax", scores, axis=1)
    positive = builder.add_node("Sigmoid", scores)
    negative = builder.add_node("Sigmoid", builder.add_node("Neg", scores))
    return builder.add_node("Concat", negative, positive, axis=1)


def add_class_labels(builder: GraphBuilder, probabilities: str, classes: Any) -> str:
    """The label of the greatest probability."""
    place = builder.add_node("ArgMax", probabilities, axis=1, keepdims=0)
    known = np.asarray(classes)
    labels = known.astype(object if known.dtype.kind in "OU" else known.dtype)
    return builder.add_node("Gather", builder.add_constant(labels), place, axis=0)
