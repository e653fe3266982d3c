"""Two OpenAI-compatible servers, one of which is killed in the middle of a run."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from headway import OnError
from headway.engines.openai import OpenAIEngine
from headway.examples.town import town

SERVER = Path(__file__).parents[1] / "engines" / "fake_server.py"

STEPS = 100


@contextlib.contextmanager
def server():
    """Start a server of its own process; give the process and its address."""
    command = [sys.executable, str(SERVER), "--seconds", "0.01"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().split()[-1]
        finally:
            process.kill()


def run(addresses, schedule="conservative", after=None, kill=None):
    """Run the town; kill a process once so many calls have been answered."""
    answered = []

    def on_call(request, _):
        answered.append((request.agent, request.step, request.call, request.attempt))
        if len(answered) == after:
            kill.send_signal(signal.SIGKILL)
            kill.wait()

    outcome = town(agents=25, seed=1).run(
        STEPS,
        engine=OpenAIEngine(addresses),
        schedule=schedule,
        on_error=OnError(attempts=3),
        on_call=on_call,
    )
    return outcome, answered


@pytest.mark.parametrize("after", [1, 40, 90])
def test_a_server_is_killed_and_nothing_is_lost_or_applied_twice(after):
    with server() as (first, one), server() as (_, two):
        expected, asked = run([two], schedule="lockstep")
        assert len(asked) > 120, "the town is too quiet"
        outcome, answered = run([one, two], after=after, kill=first)
        assert first.poll() is not None
    assert outcome.finished
    assert not outcome.failures
    # Answers depend on the chat and the seed alone, so a call lost, repeated with other words, or
    # applied twice would show in what the agents remember.
    assert outcome.final == expected.final
    assert sorted(answered) == sorted(asked)
    assert len(set(answered)) == len(answered)
    assert outcome.engine_statistics["sent_again"] >= 1
