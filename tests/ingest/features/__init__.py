"""Tests of joining feature tables."""
