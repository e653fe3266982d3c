"""What the tests with several threads share."""

from __future__ import annotations

import sys
import sysconfig

import pytest

FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))


@pytest.fixture(autouse=True)
def _threads_switch_often():
    """Have an interpreter with a lock hand it over as often as it can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.fixture(autouse=True)
def _free_threaded_python_stays_so():
    """Fail where a module has brought the lock back."""
    yield
    assert not (FREE_THREADED and sys._is_gil_enabled())
