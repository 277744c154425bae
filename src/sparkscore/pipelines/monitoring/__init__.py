"""The steps of monitoring, once a run is published."""
