"""What enters the world is copied into what nobody can change, and comes out as JSON knows it."""

from __future__ import annotations

import json
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.errors import ValueTypeError
from headway.world import freeze, thaw
from headway.world.values import DEPTH_MAX

ATOMS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
PLAIN = st.recursive(
    ATOMS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)


@given(PLAIN)
def test_what_is_frozen_thaws_to_what_it_was(value):
    assert thaw(freeze(value)) == value


@given(PLAIN)
def test_freezing_again_changes_nothing(value):
    frozen = freeze(value)
    assert freeze(frozen) == frozen
    assert repr(freeze(frozen)) == repr(frozen)


@given(PLAIN)
def test_what_is_frozen_cannot_be_changed(value):
    def look(part):
        if isinstance(part, tuple):
            for item in part:
                look(item)
        elif isinstance(part, MappingProxyType):
            with pytest.raises(TypeError):
                part["x"] = 1
            for item in part.values():
                look(item)
        else:
            assert type(part) in (type(None), bool, int, float, str)

    look(freeze(value))


@given(PLAIN)
def test_what_is_thawed_is_json(value):
    thawed = thaw(freeze(value))
    assert json.loads(json.dumps(thawed)) == thawed


def test_a_copy_is_taken():
    inner = ["a"]
    given = {"list": inner, "pair": (inner, inner)}
    frozen = freeze(given)
    inner.append("b")
    given["new"] = 1
    assert thaw(frozen) == {"list": ["a"], "pair": [["a"], ["a"]]}


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        (np.int8(3), 3), (np.uint64(2**63), 2**63), (np.float64(0.5), 0.5), (np.float32(0.5), 0.5),
        (np.bool_(True), True), (np.str_("a"), "a"), (MappingProxyType({"a": [1]}), {"a": [1]}),
        ((1, (2, 3)), [1, [2, 3]]), ([], []), ({}, {}),
    ],
)  # fmt: skip
def test_numbers_of_numpy_and_nested_ones_become_plain(given, plain):
    thawed = thaw(freeze(given))
    assert thawed == plain
    assert type(thawed) is type(plain)


class Text(str):
    __slots__ = ()


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({1}, "set"), (b"", "bytes"), (1j, "complex"), (object(), "object"), (len, "builtin"),
        (np.zeros(2), "ndarray"), (iter(()), "tuple_iterator"), (Text("a"), "Text"),
        (range(3), "range"), (np.datetime64("2030-01-01"), "date"),
    ],
)  # fmt: skip
def test_what_is_not_plain_is_refused_by_name(given, what):
    for value in (given, [given], {"a": {"b": given}}):
        with pytest.raises(ValueTypeError, match=f"the news holds a {what}"):
            freeze(value, "the news")


@pytest.mark.parametrize("key", [1, None, ("a",), b"a", Text("a")])
def test_keys_are_text(key):
    with pytest.raises(ValueTypeError, match="keys must be text"):
        freeze({key: 1})


def test_nesting_has_an_end():
    value = "deep"
    for _ in range(DEPTH_MAX):
        value = [value]
    assert thaw(freeze(value)) == value
    with pytest.raises(ValueTypeError, match=f"nested more than {DEPTH_MAX} deep"):
        freeze([[value]])
    round_ = {}
    round_["self"] = round_
    with pytest.raises(ValueTypeError, match="nested more than"):
        freeze(round_)


def test_a_number_that_python_has_no_type_for_is_refused_by_name():
    with pytest.raises(ValueTypeError, match="longdouble"):
        freeze(np.longdouble(1))
