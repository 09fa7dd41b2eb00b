"""These tests use the user's own data, weights and cache."""

import pytest


@pytest.fixture(autouse=True)
def _isolated():
    """Leaves the environment as it is; elsewhere tests do not see it."""
