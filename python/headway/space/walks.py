"""Shortest ways to a goal, found once and remembered for everybody who goes there.

A field tells which way leads to one goal, searched outwards from the goal only as far as
somebody has asked. The way from a node goes on to its first neighbour (in the order of the net)
that is one step nearer, so it depends on node and goal alone and ways to a goal merge. What of
them was walked is kept as a trail, node to next node, which makes every further step of a walk,
and every later walk along it, two lookups. Fields and trails are bounded; a forgotten one is
found again.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from itertools import islice
from threading import RLock
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import numpy as np

from headway.errors import InvariantError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator

    from numpy.typing import NDArray

#: Bytes of fields, and nodes of trails, that are kept for one space.
FIELD_BYTES = 64 << 20
TRAIL_NODES = 250_000

#: How much of a way is put down as trail at once: little, so that the trails of many thousand
#: walkers are kept until they are walked.
AHEAD = 32

#: Waves with fewer nodes are searched node by node: an array call costs as much as about so many.
SMALL_WAVE = 8

#: Marks of a field besides steps modulo three.
_GOAL, _NOWHERE, _UNSEEN = 3, 4, 255


class Net(Protocol):
    """Nodes 0..size-1 and their neighbours."""

    @property
    def size(self) -> int:
        """Number of nodes."""
        ...

    def around(self, node: int) -> list[int]:
        """Return the neighbours of a node, the preferred first; `size` stands for none."""
        ...

    def around_all(self, nodes: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return the neighbours of all these nodes, in any order, as often as they occur."""
        ...


N = TypeVar("N", bound=Net)


class TableNet:
    """A net whose nodes have a fixed number of directions.

    Parameters
    ----------
    table : int32 (n, directions)
        The neighbour of each node in each direction; n where there is none. Not copied.
    """

    def __init__(self, table: NDArray[np.int32]) -> None:
        self.size, self._directions = table.shape
        self._table = table
        self._view = table.ravel().data

    def around(self, node: int) -> list[int]:
        """Return the neighbours of a node, the preferred first; `size` stands for none."""
        first = node * self._directions
        return self._view[first : first + self._directions].tolist()

    def around_all(self, nodes: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return the neighbours of all these nodes, in any order, as often as they occur."""
        return self._table.take(nodes, axis=0).ravel()


class ListNet:
    """A net in compressed rows: the neighbours of i are `indices[indptr[i]:indptr[i + 1]]`."""

    def __init__(self, indptr: NDArray[np.int32], indices: NDArray[np.int32]) -> None:
        self.size = len(indptr) - 1
        self.indptr, self.indices = indptr, indices
        self._starts, self._view = indptr.data, indices.data

    def around(self, node: int) -> list[int]:
        """Return the neighbours of a node, the preferred first."""
        return self._view[self._starts[node] : self._starts[node + 1]].tolist()

    def around_all(self, nodes: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return the neighbours of all these nodes, in any order, as often as they occur."""
        starts = self.indptr[nodes]
        lengths = self.indptr[nodes + 1] - starts
        # Each row's neighbours stand one after another from its start on.
        before = np.cumsum(lengths) - lengths
        nodes_around: NDArray[np.int32] = self.indices[
            np.arange(int(lengths.sum())) + np.repeat(starts - before, lengths)
        ]
        return nodes_around


class Field:
    """How far every node is from the nearest of the goals, searched as far as asked.

    Neighbours differ by at most one step, so the number of steps modulo three tells which of them
    is nearer: a byte a node.
    """

    def __init__(self, net: Net, goals: Iterable[int]) -> None:
        self._net = net
        self._marks = np.full(net.size + 1, _UNSEEN, np.uint8)
        self._marks[net.size] = _NOWHERE
        self._wave = np.fromiter(goals, np.int32)
        self._marks[self._wave] = _GOAL
        self._view = self._marks.data
        self._level = 0
        self.nbytes = self._marks.nbytes

    def reaches(self, node: int, most: int | None = None) -> bool:
        """Tell whether a way leads to a goal, as far as `most` steps are searched for one."""
        while self._view[node] == _UNSEEN and len(self._wave):
            if most is not None and self._level >= most:
                return False
            self._level += 1
            if len(self._wave) < SMALL_WAVE:
                self._spread_one_by_one(self._level % 3)
            else:
                self._spread(self._level % 3)
        return self._view[node] != _UNSEEN

    def _spread(self, mark: int) -> None:
        reached = self._net.around_all(self._wave)
        reached = reached[self._marks.take(reached) == _UNSEEN]
        self._marks[reached] = mark
        reached.sort()
        first = np.ones(len(reached), np.bool_)
        np.not_equal(reached[1:], reached[:-1], out=first[1:])
        self._wave = reached[first]

    def _spread_one_by_one(self, mark: int) -> None:
        reached, view = [], self._view
        for node in self._wave.tolist():
            for other in self._net.around(node):
                if view[other] == _UNSEEN:
                    view[other] = mark
                    reached.append(other)
        self._wave = np.array(reached, np.int32)

    def is_goal(self, node: int) -> bool:
        """Tell whether a node is one of the goals."""
        return self._view[node] == _GOAL

    def is_complete(self) -> bool:
        """Tell whether all nodes with a way to a goal have been found."""
        return not len(self._wave)

    def reached(self) -> NDArray[np.intp]:
        """Return the nodes found so far."""
        return np.flatnonzero(self._marks < _NOWHERE)

    def descent(self, node: int) -> Iterator[int]:
        """Yield the nodes of the way from one that reaches a goal, without itself."""
        view, around = self._view, self._net.around
        while (mark := view[node]) != _GOAL:
            nearer = (mark + 2) % 3
            for other in around(node):
                found = view[other]
                if found == nearer or (found == _GOAL and mark == 1):
                    node = other
                    break
            else:
                raise InvariantError(f"no neighbour of node {node} is nearer to the goal")
            yield node


class Walks(Generic[N]):
    """Ways on a net to any goal: a node, or a named set of nodes."""

    def __init__(
        self, net: N, *, field_bytes: int = FIELD_BYTES, trail_nodes: int = TRAIL_NODES
    ) -> None:
        self.net = net
        self._field_bytes, self._trail_nodes = field_bytes, trail_nodes
        self._fields: OrderedDict[Hashable, Field] = OrderedDict()
        self._trails: OrderedDict[Hashable, dict[int, int]] = OrderedDict()
        self._bytes_kept = self._nodes_kept = 0
        # By node the connected piece it lies in, from 1; 0 while nobody has searched it through.
        self._pieces: NDArray[np.int32] | None = None
        self._pieces_known = 0
        self._lock = RLock()

    def onward(self, node: int, goal: int) -> int | None:
        """Return the next node on the way to another node; None if there is no way."""
        trail = self._trails.get(goal)
        if trail is not None:
            found = trail.get(node)
            if found is not None:
                return found
        return self._explore(node, goal)

    def way(self, node: int, goal: int) -> list[int]:
        """Return the nodes of the way to another node, without the first; empty if none."""
        with self._lock:
            field = self._field_from(node, goal)
            return list(field.descent(node)) if field else []

    def steps(self, node: int, goal: int, most: int | None = None) -> int | None:
        """Return the length of the way; None if there is none, or none of at most `most` steps."""
        with self._lock:
            field = self._field_from(node, goal, most)
            if field is None:
                return None
            steps = sum(1 for _ in field.descent(node))
            return None if most is not None and steps > most else steps

    def nearest(self, node: int, key: Hashable, goals: Callable[[], Iterable[int]]) -> int | None:
        """Return the goal at the end of the way to the nearest of a named set; None if none."""
        with self._lock:
            field = self._field(key, goals)
            if not field.reaches(node):
                return None
            return deque(field.descent(node), maxlen=1).pop() if not field.is_goal(node) else node

    def _explore(self, node: int, goal: int) -> int | None:
        with self._lock:
            field = self._field_from(node, goal)
            if node == goal or field is None:
                return None
            trail = self._trails.setdefault(goal, {})
            self._trails.move_to_end(goal)
            before, here = len(trail), node
            for onward in islice(field.descent(node), AHEAD):
                if here in trail:
                    break
                trail[here] = here = onward
            self._nodes_kept += len(trail) - before
            while self._nodes_kept > self._trail_nodes and len(self._trails) > 1:
                self._nodes_kept -= len(self._trails.popitem(last=False)[1])
            return trail[node]

    def _field_from(self, node: int, goal: int, most: int | None = None) -> Field | None:
        """Return the field of a goal, searched as far as a node; None if that is out of reach."""
        pieces = self._pieces
        if pieces is not None and pieces[node] != pieces[goal]:
            return None
        field = self._field(goal, lambda: (goal,))
        if field.reaches(node, most):
            return field
        if field.is_complete():
            # Whatever could be searched in vain again is known from now on.
            if pieces is None:
                pieces = self._pieces = np.zeros(self.net.size, np.int32)
            self._pieces_known += 1
            pieces[field.reached()] = self._pieces_known
        return None

    def _field(self, key: Hashable, goals: Callable[[], Iterable[int]]) -> Field:
        field = self._fields.get(key)
        if field is None:
            field = self._fields[key] = Field(self.net, goals())
            self._bytes_kept += field.nbytes
            while self._bytes_kept > self._field_bytes and len(self._fields) > 1:
                self._bytes_kept -= self._fields.popitem(last=False)[1].nbytes
        else:
            self._fields.move_to_end(key)
        return field
