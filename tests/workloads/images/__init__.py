"""Tests of the image workload."""
