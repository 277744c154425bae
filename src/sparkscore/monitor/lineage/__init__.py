"""OpenLineage events of runs: names of datasets, where columns come from, the events, and how they are sent."""
