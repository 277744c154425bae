"""What a run tells about itself: profiles, drift, SLA, metrics, alerts, pages. Writes no tables."""
