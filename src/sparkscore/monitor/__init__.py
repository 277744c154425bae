"""Monitoring of runs: profiles, drift, SLA, metrics, alerts, reports. Writes no tables."""
