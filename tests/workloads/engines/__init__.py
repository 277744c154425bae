"""Tests of language models in the process of an executor."""
