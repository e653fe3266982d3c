"""Target: what a run is given besides a map: a preset of a modelled server, an engine by its name,
a folder to replay answers from, a case of a comparison, the replies of a server. It is used or
refused with Headway's own errors, and what was refused says what it is about.
"""

from __future__ import annotations

import copy
import functools
import json
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fuzz_draw import Draw
from fuzz_folders import Files, Folder, content, damaged, other_value
from fuzz_traces import ANSWERS

from headway.engines import make_engine, preset_named
from headway.engines.base import Message, Request
from headway.engines.openai.payload import MalformedError, answer_of, models_of
from headway.engines.openai.refusals import refused_field, said_by
from headway.engines.replay import ReplayEngine
from headway.errors import EngineError, OptionError, TraceError
from headway.testing.case import Case
from headway.trace.answers import write_answers

NAME = "run_inputs"

PRESET = {
    "name": "mine", "t0": 0.01, "p": 0.0001, "d": 0.002, "max_sequences": 8, "token_budget": 2048,
    "source": {"how": "measured", "model": "m", "hardware": "h", "date": "2026-01-01"},
}  # fmt: skip
CASE = {
    "seed": 3, "steps": 5, "order": 7, "agents": ["Ann", "Ben"], "cut": 4,
    "late": [["Ann", 2, "start", 0.5]],
}  # fmt: skip
REPLIES = (
    {
        "model": "m",
        "choices": [{"message": {"content": "Yes.", "reasoning": "so"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 2,
                  "prompt_tokens_details": {"cached_tokens": 3}},
    },
    {"data": [{"id": "m", "owned_by": "me"}, {"id": "n"}]},
    {"error": {"message": "Unrecognized request argument supplied: top_k", "param": "top_k"}},
    {"error": {"detail": [{"loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]}},
)  # fmt: skip
SENT = {"top_k": 5, "seed": 1, "response_format": {}, "messages": []}
ASKED = Request((Message("user", "Who?"),), agent="Ann", step=0, call=0)
#: No engine that would load a model or ask a server.
ENGINES = ("scripted", "null", "virtual", "replay", "", "VIRTUAL", "virtual,", "none")
AFTER = ("", "l4-8b", "l4-8b,2", ",", ",0", "l4-8b,-1", "l4-8b,1_0", "nan", "\0", "9" * 5000, "1.5")


@functools.cache
def tape() -> Files:
    with TemporaryDirectory() as place:
        write_answers(ANSWERS, place)
        return content(Path(place))


def seeds() -> list[bytes]:
    drawn = [bytes([kind, n, *range(n, n + 40)]) for kind in range(5) for n in range(10)]
    texts = [json.dumps(value).encode() for value in (PRESET, CASE, *REPLIES)]
    return [*drawn, *(bytes([kind, 0]) + text for kind in (0, 3, 4) for text in texts)]


@functools.cache
def _folder() -> Folder:
    return Folder()


def run(data: bytes) -> bool:
    """Use one of them; tell whether it was taken."""
    draw = Draw(data)
    kind = draw.below(5)
    try:
        KINDS[kind](draw)
    except (OptionError, EngineError, TraceError, MalformedError) as error:
        assert str(error), "no reason"
        str(error).encode()
        return False
    return True


def _text(draw: Draw, *values: Any) -> bytes:
    """One of these as JSON, changed a little; or whatever the input holds."""
    value = copy.deepcopy(draw.one_of(values))
    if draw.rarely(2):
        for _ in range(draw.below(4)):
            value = other_value(value, draw)
        return json.dumps(value).encode()
    return draw.rest() or json.dumps(value).encode()


def _preset(draw: Draw) -> None:
    path = _folder().holds({"mine.json": _text(draw, PRESET)}) / "mine.json"
    try:
        preset = preset_named(str(path))
    except EngineError as error:
        assert str(path) in str(error), f"the file is not named: {error}"
        raise
    preset.server(1)


def _engine(draw: Draw) -> None:
    name = f"{draw.one_of(ENGINES)}:{draw.one_of(AFTER)}"
    if draw.rarely(4):
        name += draw.rest().decode("utf-8", "replace")
    make_engine(name)


def _replay(draw: Draw) -> None:
    path = _folder().holds(damaged(tape(), draw))
    engine = ReplayEngine(path)
    try:
        engine.complete(ASKED).send(None)
    except StopIteration:
        raise AssertionError("what was never asked is answered") from None
    except EngineError as error:
        assert "Ann" in str(error), error


def _case(draw: Draw) -> None:
    text = _text(draw, CASE).decode("utf-8", "replace")
    case = Case.from_json(text)
    assert Case.from_json(case.to_json()) == case, text
    assert str(case)


def _reply(draw: Draw) -> None:
    text = _text(draw, *REPLIES).decode("utf-8", "replace")
    said, about = said_by(text)
    assert isinstance(said, str) and isinstance(about, str)
    assert refused_field(text, SENT) in (None, *SENT)
    try:
        reply = json.loads(text)
    except (ValueError, RecursionError):
        return
    with suppress(MalformedError):
        models_of(reply)
    answer = answer_of(reply, ASKED, "m")
    (answer.text + answer.model).encode()
    counts = (answer.prompt_tokens, answer.output_tokens, answer.cached_tokens or 0)
    assert all(0 <= count < 2**31 for count in counts), counts


KINDS = (_preset, _engine, _replay, _case, _reply)


def close() -> None:
    _folder().close()
