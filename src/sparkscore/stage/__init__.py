"""The stage of a run: predictions that are written but not visible, committed chunk by chunk."""
