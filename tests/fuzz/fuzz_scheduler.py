"""Target: the Python door of the scheduler and the history of positions. Arrays of any dtype, shape
and layout, and anything else that is not an array, are taken or refused; refused changes nothing.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from fuzz_draw import Draw

from headway import PositionHistory, Scheduler, errors
from headway._core import Graph, VirtualServer
from small_schedulers import facts

NAME = "scheduler_door"


class OwnError(Exception):
    """What an object of the caller raises comes through."""


#: What is refused; what is no whole number at all, or too much, with Python's own exceptions.
REFUSED = (errors.HeadwayError, TypeError, MemoryError, OwnError)

KINDS = (
    *("i8", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", ">i8", ">u4", ">i4", "f8", "f4", "f2"),
    *(">f8", "longdouble", "?", "c16", "O", "U3", "S3", "M8[s]", "m8[s]", "V4", "i4,i4"),
)
WHOLE = (
    *(-1, 3, 7, 2**15, 2**24, 2**30, 2**30 + 1, -(2**30) - 1, 2**31, 2**32, 2**63, 2**64),
    *(-(2**63), 10**30),
)
REAL = (0.5, -0.5, 1e8, 1e8 + 1, -1e308, 5e-324, float("nan"), float("inf"), float("-inf"))


class Odd:
    """Pretends to be an array."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def __array__(self, *_: object, **__: object) -> Any:
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer

    def __repr__(self) -> str:
        raise RuntimeError("no words for it")


class Endless:
    """A sequence that says it is long."""

    def __len__(self) -> int:
        return 2**62

    def __getitem__(self, at: int) -> int:
        if at > 1000:
            raise IndexError
        return 0


class Late:
    """A number that fails when it is asked for."""

    def __index__(self) -> int:
        raise OwnError("no number")

    __int__ = __float__ = __index__  # type: ignore[assignment]


def seeds() -> list[bytes]:
    return [bytes([kind, n, *range(7 * n, 7 * n + 80)]) for kind in range(8) for n in range(15)]


def run(data: bytes) -> bool:
    """Make one object and call it; tell whether it could be made."""
    draw = Draw(data)
    with warnings.catch_warnings():
        # Numpy warns where numbers of other types do not fit; what matters is what comes then.
        warnings.simplefilter("ignore")
        match draw.below(8):
            case 0:
                return _graph(draw)
            case 1:
                return _history(draw)
            case 2:
                return _server(draw)
            case _:
                return _scheduler(draw)


def numbers(draw: Draw, count: int, *, whole: bool = True) -> list[Any]:
    """Mostly small numbers, sometimes others."""
    found: list[Any] = []
    for _ in range(count):
        if not draw.rarely(16):
            found.append(draw.below(6))
        else:
            found.append(draw.one_of(WHOLE if whole or draw.rarely(2) else REAL))
    return found


def laid_out(values: Any, draw: Draw) -> Any:
    """The same numbers in another type, layout or container, or something that is no array."""
    if draw.rarely(16):
        return odd(draw)
    array = _typed(values, draw)
    if draw.rarely(3):
        return array
    try:
        return draw.one_of(LAYOUTS)(array, draw)
    except ValueError:
        return array  # there is no such layout of it


def _fixed(array: np.ndarray, _: Draw) -> np.ndarray:
    array.flags.writeable = False
    return array


def _unaligned(array: np.ndarray, _: Draw) -> np.ndarray:
    if array.dtype.hasobject:
        return array
    room = np.zeros(array.nbytes + 1, np.uint8)
    moved = np.frombuffer(room.data, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    moved[...] = array
    return moved


def _repeated(array: np.ndarray, draw: Draw) -> np.ndarray:
    """One row so many times, in the room of one."""
    first = np.atleast_1d(array)[:1]
    return np.broadcast_to(first, (draw.one_of([0, 5, 2**40]), *first.shape[1:]))


LAYOUTS = (
    lambda array, _: array.tolist(),
    lambda array, _: tuple(array.tolist()),
    lambda array, _: np.repeat(np.atleast_1d(array), 2, axis=0)[::2],
    lambda array, _: np.flip(np.flip(array).copy()),
    lambda array, _: np.asfortranarray(array),
    lambda array, _: np.broadcast_to(array, (3, *array.shape)),
    lambda array, _: np.transpose(array),
    lambda array, _: np.ma.masked_array(array, mask=False),
    lambda array, _: np.matrix(array),
    lambda array, draw: array.reshape(draw.one_of([(-1,), (1, -1), (-1, 1), (-1, 1, 1)])),
    _fixed,
    _unaligned,
    _repeated,
)


def _typed(values: Any, draw: Draw) -> np.ndarray:
    array = np.array(values)
    if draw.rarely(3):
        try:
            return array.astype(draw.one_of(KINDS))
        except (TypeError, ValueError, OverflowError):
            pass
    return array


def odd(draw: Draw) -> Any:
    """No array at all, or one that nothing can be made of."""
    ring: list[Any] = []
    ring.append(ring)
    return draw.one_of([
        *(None, True, 0, 2**80, 1.5, "ab", b"ab", {}, {1}, object(), Scheduler, range(2), ring),
        *([[0], [0, 1]], [None], [0] * 3000, iter([0]), Endless(), Late(), [Late()]),
        *(Odd(ValueError("no")), Odd(KeyError("no")), Odd([1]), Odd(np.zeros((1, 2), int))),
        *(np.int64(1), np.float64(0.5), np.datetime64("2020"), memoryview(b"abcd")),
        *(np.array(None), np.array([], "O"), np.zeros(0), np.zeros((0, 2)), np.zeros((2, 0))),
        *(np.zeros((1,) * 32), np.zeros(2, "i4,f8")["f1"], np.array([[1, 2], [3, 4]])[:, 0]),
    ])  # fmt: skip


def scalar(draw: Draw, values: tuple[Any, ...] = (0, 1, 2)) -> Any:
    if draw.rarely(24):
        return odd(draw) if draw.rarely(2) else draw.one_of((*WHOLE, *REAL))
    return draw.one_of(values)


def options(draw: Draw, **given: Any) -> dict[str, Any]:
    """The options that are drawn, and a value for each."""
    return {name: value for name, value in given.items() if not draw.rarely(2)}


def _start(draw: Draw, count: int) -> tuple[Any, dict[str, Any]]:
    """Positions of so many agents, and what goes with them."""
    where = draw.below(4)
    if where == 3:
        nodes = 6
        graph = Graph(np.arange(nodes + 1), (np.arange(nodes) + 1) % nodes)
        graph = graph if not draw.rarely(16) else odd(draw)
        return laid_out(numbers(draw, count), draw), {"graph": graph}
    flat = numbers(draw, 2 * count, whole=where != 2)
    places = [flat[2 * i : 2 * i + 2] for i in range(count)]
    if where == 2:
        places = [[float(x) for x in place] for place in places]
    wrap = (scalar(draw, (7, 10, 1)), scalar(draw, (7, 10.0, 0)))
    return laid_out(places, draw), options(
        draw,
        metric=scalar(draw, ("chebyshev", "euclidean", "manhattan")),
        wrap=wrap if not draw.rarely(8) else odd(draw),
    )


def _per_agent(draw: Draw, count: int, least: tuple[Any, ...]) -> Any:
    if draw.rarely(3):
        return laid_out(numbers(draw, count), draw)
    return scalar(draw, least)


def _scheduler(draw: Draw) -> bool:
    count = draw.below(5)
    places, more = _start(draw, count)
    more |= options(
        draw,
        reach=_per_agent(draw, count, (1, 2, None)),
        rule=scalar(draw, ("conservative", "compatibility")),
        worlds=laid_out([draw.below(2) for _ in range(count)], draw) if draw.rarely(3) else None,
        story_capacity=scalar(draw, (0, 5, 1000)),
    )
    sight, speed = _per_agent(draw, count, (4, 0, 2)), _per_agent(draw, count, (1, 0, 1.0))
    try:
        scheduler = Scheduler(places, sight=sight, speed=speed, **more)
    except REFUSED as error:
        _check(error)
        return False
    for _ in range(12):
        before = facts(scheduler)
        try:
            _call(scheduler, draw)
        except REFUSED as error:
            _check(error)
            assert facts(scheduler) == before, f"changed by {error!r}"
        scheduler.validate()
    return True


def _call(s: Scheduler, draw: Draw) -> None:
    count = max(1, len(s))
    someone = scalar(draw, tuple(range(count)))
    place = laid_out(numbers(draw, 2), draw)
    footprint = options(
        draw, sight=scalar(draw), speed=scalar(draw), reach=scalar(draw, (None, 1, 2))
    )
    match draw.below(10):
        case 0:
            s.start(laid_out([i % count for i in numbers(draw, draw.below(4))], draw))
        case 1 | 2:
            s.start(s.ready())
        case 3 | 4:
            running = np.array([i for i in range(len(s)) if s.status(i) == "running"], int)
            s.finish(laid_out(running, draw), laid_out(s.positions[running], draw))
        case 5:
            ids = [i % count for i in numbers(draw, draw.below(4))]
            s.finish(laid_out(ids, draw), laid_out(numbers(draw, 2 * len(ids)), draw))
        case 6:
            s.add(
                place, **footprint, **options(draw, world=scalar(draw), at=scalar(draw, (None, 3)))
            )
        case 7:
            s.spawn(someone, place, **footprint)
        case 8:
            s.remove(laid_out([i % count for i in numbers(draw, draw.below(3))], draw))
        case _:
            s.blockers(someone)
            s.story(someone)
            s.status(someone)
            s.held_up(someone)
            s.clusters(laid_out([0], draw))


def _history(draw: Draw) -> bool:
    count = draw.below(5)
    places, more = _start(draw, count)
    more |= options(draw, radius=scalar(draw, (1, 0.5, 0)))
    try:
        history = PositionHistory(places, **more)
    except REFUSED as error:
        _check(error)
        return False
    for _ in range(12):
        before = (len(history), history.versions, history.oldest)
        try:
            _tell(history, draw)
        except REFUSED as error:
            _check(error)
            assert (len(history), history.versions, history.oldest) == before, repr(error)
        history.validate()
    return True


def _tell(h: PositionHistory, draw: Draw) -> None:
    someone, step = scalar(draw), scalar(draw, tuple(range(12)))
    ids = laid_out([draw.below(max(1, len(h)))], draw)
    steps = laid_out([draw.below(12)], draw)
    place = laid_out(numbers(draw, 2), draw)
    match draw.below(8):
        case 0:
            h.add(place, step)
        case 1 | 2:
            h.move(ids, steps, laid_out([numbers(draw, 2)], draw))
        case 3:
            h.remove(ids, steps)
        case 4:
            h.forget(step)
        case 5:
            h.positions(ids, steps)
        case 6:
            h.near(place, step, scalar(draw))
        case _:
            h.neighbours(someone, step, scalar(draw))


def _server(draw: Draw) -> bool:
    second = (0.001, 0.0, 1.0)
    try:
        server = VirtualServer(
            scalar(draw, (1, 2)),
            t0=scalar(draw, (0.01, 1.0)),
            p=scalar(draw, second),
            d=scalar(draw, second),
            max_sequences=scalar(draw, (1, 2, 8)),
            token_budget=scalar(draw, (8, 9, 2048)),
        )
    except REFUSED as error:
        _check(error)
        return False
    for _ in range(12):
        before = server.statistics()
        try:
            match draw.below(4):
                case 0 | 1:
                    batch = [laid_out(numbers(draw, 2), draw) for _ in range(3)]
                    server.submit(*batch)
                case 2:
                    server.cancel(scalar(draw))
                case _:
                    server.lone_latency(*(laid_out(numbers(draw, 2), draw) for _ in range(2)))
                    server.advance()
        except REFUSED as error:
            _check(error)
            assert server.statistics() == before, f"changed by {error!r}"
    return True


def _graph(draw: Draw) -> bool:
    starts = np.cumsum([0, *(draw.below(3) for _ in range(draw.below(6)))])
    try:
        graph = Graph(laid_out(starts, draw), laid_out(numbers(draw, int(starts[-1])), draw))
    except REFUSED as error:
        _check(error)
        return False
    for _ in range(4):
        try:
            graph.hops(scalar(draw), scalar(draw))
            graph.neighbours(scalar(draw))
        except REFUSED as error:
            _check(error)
    return True


def _check(error: BaseException) -> None:
    assert not isinstance(error, errors.InvariantError), error
    assert str(error), "no reason"


def close() -> None:
    """Nothing is kept."""
