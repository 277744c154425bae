"""The stage of a run: predictions that are written and not visible, committed chunk by chunk."""
