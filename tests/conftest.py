"""Hypothesis profiles, and how to run the seeded tests again.

`pytest --hypothesis-profile=thorough` looks at many more examples. Tests that run over seeds name
the seed in the failure; `HEADWAY_SEED=17` runs that one alone, `HEADWAY_SEEDS=5000` runs more. A
failure of `assert_same_as_lockstep` prints a `HEADWAY_CASE=...` that runs its smallest case alone.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

pytest_plugins = ["headway.testing.pytest_plugin"]

REPLAYS = ("HEADWAY_SEED", "HEADWAY_SEEDS", "HEADWAY_CASE")

# On a busy machine slowness says nothing about the code.
settings.register_profile(
    "default",
    deadline=None,
    max_examples=60,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("thorough", settings.get_profile("default"), max_examples=3000)
settings.load_profile("default")


def pytest_report_header() -> str:
    given = {name: os.environ.get(name, "-") for name in REPLAYS}
    return "seeds: " + ", ".join(f"{name}={value}" for name, value in given.items())
