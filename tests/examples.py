"""How many examples Hypothesis tries where each of them takes Spark's time."""

import os

import pytest

ALL = "TESTS_EXAMPLES"
"""A variable of the environment; `all` in `ci/test.sh slow`."""

more_examples_in_slow = pytest.mark.examples


def examples(few: int, *, slow: int) -> int:
    """Few in each run of CI, more in the slow one, which runs the test again: mark it `more_examples_in_slow`."""
    return slow if os.environ.get(ALL) == "all" else few
