"""The steps of `evaluate`: truths joined with what was published, summed, judged, and kept."""
