"""The flights, read once; the full model, trained once."""

import pandas as pd
import pytest

from sparkscore.demo import recipe
from sparkscore.demo.flights import FlightTables, load_tables
from sparkscore.demo.registry import Candidate
from sparkscore.demo.train import fit_candidate


@pytest.fixture(scope="session")
def frames() -> FlightTables:
    """All of 2013."""
    return load_tables()


@pytest.fixture(scope="session")
def sample(frames: FlightTables) -> pd.DataFrame:
    """Every twentieth flight, of all months."""
    return frames.flights.iloc[::20]


@pytest.fixture(scope="session")
def candidate(frames: FlightTables) -> Candidate:
    """The model of the quickstart."""
    return fit_candidate(recipe.with_outcome(frames.flights), fingerprint="full")
