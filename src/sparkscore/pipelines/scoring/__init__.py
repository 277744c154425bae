"""The steps of scoring: choose the transport, score into the stage, stop at the limits."""
