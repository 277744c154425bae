"""Tests of language models behind endpoints."""
