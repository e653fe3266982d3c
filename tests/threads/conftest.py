"""What the tests with several threads share."""

from __future__ import annotations

import sys

import pytest


@pytest.fixture(autouse=True)
def _threads_switch_often():
    """Have an interpreter with a lock hand it over as often as it can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)
