"""`VirtualServer` over numpy: what it takes, what it refuses, and what it counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway import errors
from headway._core import VirtualServer
from headway.engines import PRESETS, preset_named

MODEL = {"t0": 0.1, "p": 0.001, "d": 0.01, "max_sequences": 4, "token_budget": 500}


def server(replicas: int = 1, **changes) -> VirtualServer:
    return VirtualServer(replicas, **(MODEL | changes))


def drained(s: VirtualServer) -> list[tuple[float, list[int]]]:
    """Run until nothing is in flight; return each time with the requests that finished."""
    events = []
    while s.in_flight:
        finished = s.advance().tolist()
        events.append((s.now, finished))
    return events


def submit_one(s: VirtualServer, prompt: int = 100, output: int = 1, priority: int = 0) -> int:
    return int(s.submit([priority], [prompt], [output])[0])


def test_a_lone_request_takes_an_iteration_for_its_prompt_and_one_for_each_further_token():
    s = server()
    submit_one(s, prompt=200, output=3)
    assert drained(s) == [(pytest.approx(0.2 + 2 * 0.11), [0])]


@given(st.integers(1, 3000), st.integers(1, 200), st.sampled_from(sorted(PRESETS)))
def test_the_lone_latency_is_that_of_a_lone_run(prompt, output, preset):
    s = PRESETS[preset].server(3)
    submit_one(s, prompt, output)
    s.advance()
    assert s.lone_latency([prompt], [output]).tolist() == [s.now]


def test_lone_latencies_of_a_batch_are_those_of_its_requests():
    s = server()
    latency = s.lone_latency([100, 200, 1000], np.array([1, 2, 3], np.int32))
    assert latency.dtype == np.float64
    expected = [float(s.lone_latency([p], [o])[0]) for p, o in ((100, 1), (200, 2), (1000, 3))]
    assert latency.tolist() == expected
    assert s.now == 0 and s.in_flight == 0
    assert s.lone_latency([], []).shape == (0,)


def test_requests_are_numbered_in_the_order_of_submission():
    s = server()
    assert s.submit([5, 1], [10, 10], [1, 1]).tolist() == [0, 1]
    assert s.submit([], [], []).tolist() == []
    assert s.submit([0], [10], [1]).dtype == np.int64
    assert s.in_flight == 3


def test_smaller_priorities_go_first_and_of_equals_the_earlier():
    s = server(max_sequences=1)
    s.submit([3, 1, 2, 1, -5], [10] * 5, [2] * 5)
    assert [finished for _, finished in drained(s)] == [[4], [1], [3], [2], [0]]


def test_requests_that_finish_at_one_time_are_reported_together():
    s = server(2)
    s.submit([0] * 4, [10] * 4, [3] * 4)
    assert [finished for _, finished in drained(s)] == [[0, 2, 1, 3]]


def test_a_request_goes_to_the_replica_with_the_fewest_in_flight():
    s = server(2, max_sequences=1)
    s.submit([0, 0, 0], [10] * 3, [5, 1, 1])
    # The second replica is done with 1 and 2 is queued behind 0, for both had one then.
    assert [finished for _, finished in drained(s)] == [[1], [0], [2]]


def test_without_requests_no_time_passes():
    s = server()
    assert s.advance().tolist() == []
    assert s.advance().dtype == np.int64
    assert (s.now, s.in_flight) == (0, 0)


def test_a_cancelled_request_is_not_reported():
    s = server(max_sequences=1)
    s.submit([0, 0, 0], [10] * 3, [5] * 3)
    assert s.cancel(1) is True
    assert s.cancel(1) is False
    assert [finished for _, finished in drained(s)] == [[0], [2]]
    assert s.cancel(0) is False
    facts = s.statistics()
    assert (facts["submitted"], facts["finished"], facts["cancelled"]) == (3, 2, 1)
    assert facts["cancelled_tokens"] == 0


def test_tokens_spent_on_a_request_cancelled_since_are_counted():
    s = server()
    s.submit([0, 0], [100, 50], [1, 9])
    s.advance()
    s.cancel(1)
    drained(s)
    assert s.statistics()["cancelled_tokens"] == 51
    assert s.in_flight == 0


def test_a_request_never_submitted_is_not_cancelled():
    s = server()
    submit_one(s)
    with pytest.raises(errors.EngineError, match="request 1 does not exist"):
        s.cancel(1)


@given(
    st.lists(
        st.tuples(st.integers(-3, 3), st.integers(1, 900), st.integers(1, 30)),
        min_size=1,
        max_size=15,
    ),
    st.integers(1, 3),
)
def test_statistics_add_up(requests, replicas):
    s = server(replicas)
    s.submit(*zip(*requests, strict=True))
    events = drained(s)
    facts = s.statistics()
    assert set(facts) == {
        *("seconds", "submitted", "finished", "cancelled", "in_flight_seconds", "busy_seconds"),
        *("iterations", "prompt_tokens", "output_tokens", "cancelled_tokens"),
    }
    assert facts["submitted"] == facts["finished"] == len(requests)
    assert sorted(r for _, finished in events for r in finished) == list(range(len(requests)))
    assert facts["seconds"] == s.now == events[-1][0]
    assert [at for at, _ in events] == sorted(at for at, _ in events)
    assert facts["prompt_tokens"] == sum(prompt for _, prompt, _ in requests)
    assert facts["output_tokens"] == sum(output for _, _, output in requests)
    waited = sum(at * len(finished) for at, finished in events)
    assert facts["in_flight_seconds"] == pytest.approx(waited, rel=1e-9)
    assert facts["busy_seconds"] <= replicas * s.now * (1 + 1e-12)
    assert facts["iterations"] * MODEL["t0"] <= facts["busy_seconds"] * (1 + 1e-9)
    assert facts["cancelled_tokens"] == facts["cancelled"] == 0


@pytest.mark.parametrize(
    ("batch", "expected", "words"),
    [
        (([0, 0], [10, 0], [1, 1]), errors.EngineError, "prompt_tokens is 0; it must be from 1"),
        (([0, 0], [10, 10], [1, 0]), errors.EngineError, "output_tokens is 0; it must be from 1"),
        (([0, 0], [10, 2**32], [1, 1]), errors.EngineError, "between 1 and 4294967295"),
        (([0, 0], [10, -1], [1, 1]), errors.EngineError, "prompt_tokens"),
        (
            ([0], [10, 10], [1, 1]),
            errors.ArrayShapeError,
            r"submit\(\) got 1 priorities, 2 prompt_tokens and 2 output_tokens",
        ),
        (([0, 0], [10, 10], [1]), errors.ArrayShapeError, "1 output_tokens"),
        (([[0, 0]], [10, 10], [1, 1]), errors.ArrayShapeError, "priorities must have shape"),
        (([0.0, 1.0], [10, 10], [1, 1]), errors.ArrayTypeError, "priorities must be whole"),
        (([0, 0], [10.0, 10], [1, 1]), errors.ArrayTypeError, "prompt_tokens must be whole"),
        (([0, 0], [10, 10], [True, True]), errors.ArrayTypeError, "output_tokens .* dtype bool"),
        (([0, 0], [10, 10], None), errors.ArrayShapeError, "output_tokens must have shape"),
    ],
)
def test_a_refused_batch_submits_nothing(batch, expected, words):
    s = server()
    submit_one(s)
    before = s.statistics()
    with pytest.raises(expected, match=words):
        s.submit(*batch)
    assert s.statistics() == before
    assert s.in_flight == 1
    assert submit_one(s) == 1


@pytest.mark.parametrize("dtype", ["i1", "u2", ">i4", "u8", ">i8"])
def test_integers_of_any_kind_and_layout_are_taken(dtype):
    s = server(max_sequences=1)
    prompts = np.array([10, 9, 20, 9, 30], dtype)[::2]
    s.submit(np.array([2, 1, 0], dtype), prompts, np.array([1, 2, 3], dtype))
    drained(s)
    assert prompts.tolist() == [10, 20, 30]
    assert s.statistics()["prompt_tokens"] == 60
    assert s.statistics()["output_tokens"] == 6


def test_extreme_priorities_are_taken():
    s = server(max_sequences=1)
    s.submit([2**63 - 1, -(2**63), 0], [1] * 3, [1] * 3)
    assert [finished for _, finished in drained(s)] == [[1], [2], [0]]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"replicas": 0}, "replicas is 0; it must be from 1 to 65536"),
        ({"replicas": 65537}, "replicas is 65537"),
        ({"t0": 0.0}, "t0 is 0; it must be from 0.000001 to 1000"),
        ({"t0": float("nan")}, "t0 is NaN"),
        ({"p": -1e-9}, "p is .*; it must be from 0 to 1000"),
        ({"d": float("inf")}, "d is inf"),
        ({"max_sequences": 0}, "max_sequences is 0"),
        ({"token_budget": 3}, "token_budget is 3; it must be at least max_sequences, which is 4"),
    ],
)
def test_numbers_outside_their_range_are_refused_with_the_range(changes, words):
    with pytest.raises(errors.EngineError, match=words):
        server(**({"replicas": 1} | changes))


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_every_preset_makes_a_server_and_tells_its_source(name):
    preset = preset_named(name)
    assert preset.name == name and preset.source
    s = preset.server(2)
    submit_one(s, prompt=100, output=10)
    assert s.advance().tolist() == [0]
    assert 0.01 < s.now < 60
    with pytest.raises(errors.EngineError, match="replicas is 0"):
        preset.server(0)


def test_the_presets_for_one_call_take_what_their_source_says():
    # 1.63 s per serial call in the paper; 640 prompt and 22 output tokens are the mean there.
    seconds = float(preset_named("l4-8b-paper").server(1).lone_latency([640], [22])[0])
    assert seconds == pytest.approx(1.63, rel=0.05)


def test_an_unknown_preset_is_refused_with_the_known_ones():
    with pytest.raises(errors.OptionError, match=r"no preset 'h100'; there are l4-8b, .*"):
        preset_named("h100")


def test_lone_latencies_of_columns_that_differ_in_length_are_refused():
    with pytest.raises(errors.ArrayShapeError):
        server().lone_latency([10, 20, 30], [1])


@pytest.mark.parametrize("tokens", [-5, 2**32])
def test_a_number_of_tokens_out_of_range_is_named_as_given(tokens):
    with pytest.raises(
        errors.EngineError, match=rf"prompt_tokens must lie between 1 and 4294967295, got {tokens}"
    ):
        server().submit([0], [tokens], [1])


@pytest.mark.parametrize("request_id", [-1, 2**64, 2**200])
def test_a_request_that_cannot_be_is_named_as_given(request_id):
    words = f"no request {request_id}: they are numbered from 0"
    with pytest.raises(errors.EngineError, match=words):
        server().cancel(request_id)


def test_a_server_tells_its_number_of_replicas():
    assert (server().replicas, server(7).replicas) == (1, 7)


@pytest.mark.parametrize("changes", [{"replicas": -1}, {"max_sequences": -1}])
def test_negative_counts_are_refused_with_their_range(changes):
    with pytest.raises(errors.EngineError):
        server(**({"replicas": 1} | changes))
