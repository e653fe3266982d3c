"""A network of places or people: distance is the number of hops."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Hashable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from headway.errors import SpaceError
from headway.space.base import Space, shown, unknown
from headway.space.walks import ListNet, Walks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from headway.space.base import Position

#: Most nodes, and most edges counted in both directions.
GRAPH_LIMIT = 2**31 - 2


class Graph(Space):
    """Nodes 0..n-1 joined by undirected edges; nodes may have names.

    Positions are the numbers of nodes; `node` and `name` translate. If the names are exactly the
    whole numbers 0..n-1 they are the numbers of the nodes, else nodes are numbered in the order in
    which they are named first: in `nodes`, then in `edges`. Among shortest ways the one is taken
    that goes on to the neighbour with the lowest number.

    Parameters
    ----------
    edges : iterable of pairs, int array (n, 2), or mapping
        Pairs of names, or name to the names of its neighbours. An edge given more than once counts
        once; one from a node to itself does not count.
    nodes : iterable, optional
        Names of nodes, to fix their order or to add some that have no edges.

    Raises
    ------
    SpaceError
        For edges that are not pairs, names that cannot be looked up, too many of them.
    """

    metric = "hops"

    def __init__(
        self,
        edges: Iterable[tuple[Hashable, Hashable]] | Mapping[Any, Iterable[Hashable]],
        *,
        nodes: Iterable[Hashable] = (),
    ) -> None:
        if isinstance(edges, np.ndarray):
            edges = edges.tolist()
        numbers: dict[Hashable, int] = {}
        pairs: list[int] = []
        try:
            for name in nodes:
                numbers.setdefault(name, len(numbers))
            for one, other in _pairs(edges, numbers):
                pairs.append(numbers.setdefault(one, len(numbers)))
                pairs.append(numbers.setdefault(other, len(numbers)))
        except TypeError as error:
            raise SpaceError(f"the name of a node cannot be looked up: {error}") from error
        ends = np.array(pairs, np.int64).reshape(-1, 2)
        if all(type(name) is int and 0 <= name < len(numbers) for name in numbers):
            ends = np.fromiter(numbers, np.int64, len(numbers))[ends]
            self._set(len(numbers), ends)
        else:
            self._set(len(numbers), ends, numbers)

    def _set(
        self, n: int, ends: NDArray[np.int64], numbers: dict[Hashable, int] | None = None
    ) -> None:
        if n == 0:
            raise SpaceError("a graph needs at least one node")
        if max(n, 2 * len(ends)) > GRAPH_LIMIT:
            raise SpaceError(f"{n} nodes with {len(ends)} edges are too many for a graph")
        ends = ends[ends[:, 0] != ends[:, 1]]
        both = np.unique(np.concatenate([ends[:, 0] * n + ends[:, 1], ends[:, 1] * n + ends[:, 0]]))
        indptr = np.zeros(n + 1, np.int32)
        np.cumsum(np.bincount(both // n, minlength=n), out=indptr[1:])
        self._net = ListNet(indptr, (both % n).astype(np.int32))
        self._walks = Walks(self._net)
        self._numbers = numbers
        self._names = None if numbers is None else list(numbers)

    @classmethod
    def _of(cls, n: int, ends: NDArray[np.int64]) -> Graph:
        graph = cls.__new__(cls)
        graph._set(n, ends)
        return graph

    @classmethod
    def small_world(cls, n: int, k: int, p: float, seed: int) -> Graph:
        """Draw a ring of n nodes, each joined to its k nearest, with a share p of edges moved.

        The far end of each edge is moved with probability `p` to a node drawn among all (Watts
        and Strogatz, 1998); where that makes a loop or an edge that exists already there is one
        less, so degrees are k on average or slightly below.

        Parameters
        ----------
        n, k : int
            Number of nodes, and of neighbours of each, an even number below n.
        p : float
            Within 0..1.
        seed : int
            The same seed gives the same graph.

        Raises
        ------
        SpaceError
            For values that cannot be used.
        """
        if not (0 <= k < n <= GRAPH_LIMIT and k % 2 == 0 and 0 <= p <= 1):
            raise SpaceError(
                f"a small world needs n nodes, an even k below n and p within 0..1, got n={n}, "
                f"k={k}, p={p}"
            )
        rng = np.random.default_rng(seed)
        near = np.repeat(np.arange(n), k // 2)
        far = (near + np.tile(np.arange(1, k // 2 + 1), n)) % n
        moved = rng.random(len(near)) < p
        far[moved] = rng.integers(0, n, int(moved.sum()))
        return cls._of(n, np.stack([near, far], axis=1))

    @classmethod
    def scale_free(cls, n: int, m: int, seed: int) -> Graph:
        """Draw a graph that grows node by node, each joined to m others, popular ones more often.

        After Barabasi and Albert (1999): it starts with m nodes joined to the next one.

        Parameters
        ----------
        n, m : int
            Number of nodes, and of edges each newcomer brings; 1 <= m < n.
        seed : int
            The same seed gives the same graph.

        Raises
        ------
        SpaceError
            For values that cannot be used.
        """
        if not 1 <= m < n <= GRAPH_LIMIT:
            raise SpaceError(f"a scale-free graph needs 1 <= m < n, got n={n}, m={m}")
        rng = np.random.default_rng(seed)
        ends = [(node, m) for node in range(m)]
        # Every node stands here once for each of its edges.
        urn = [node for edge in ends for node in edge]
        for node in range(m + 1, n):
            chosen: set[int] = set()
            while len(chosen) < m:
                chosen.add(urn[int(rng.integers(len(urn)))])
            # Sorted, because the order of a set is nobody's promise.
            for other in sorted(chosen):
                ends.append((node, other))
                urn += (node, other)
        return cls._of(n, np.array(ends, np.int64))

    def __len__(self) -> int:
        return self._net.size

    def __repr__(self) -> str:
        return f"<Graph {len(self)} nodes, {len(self._net.indices) // 2} edges>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self._net.indptr, self._net.indices, self._numbers)

    def scheduler_options(self) -> dict[str, Any]:
        """Return the keyword arguments that tell the scheduler about this space."""
        from headway import _core  # noqa: PLC0415 -- a graph works without the extension

        core: Any = _core
        indptr, indices = self._net.indptr, self._net.indices
        return {"graph": core.Graph(indptr.astype(np.int64), indices.astype(np.int64))}

    def node(self, name: Hashable) -> int:
        """Return the number of the node with this name.

        Raises
        ------
        SpaceError
            If there is none.
        """
        if self._numbers is None:
            return self.check(name, what="node")
        try:
            return self._numbers[name]
        except (KeyError, TypeError):
            texts = {str(each): 0 for each in self._numbers}
            raise unknown("node", name if isinstance(name, str) else shown(name), texts) from None

    def name(self, node: int) -> Hashable:
        """Return the name of a node.

        Raises
        ------
        SpaceError
            If there is no such node.
        """
        number = self.check(node, what="node")
        return number if self._names is None else self._names[number]

    def neighbours(self, node: Position) -> list[int]:
        """Return the numbers of the neighbours of a node, in order.

        Raises
        ------
        SpaceError
            If there is no such node.
        """
        return self._net.around(self.check(node))

    def check(self, position: object, *, what: str = "position") -> int:
        """Return the number of a node as int; see `Space.check`."""
        if type(position) is not int:
            if isinstance(position, bool) or not isinstance(position, np.integer):
                hint = "; node() gives the number of a name" if isinstance(position, str) else ""
                raise SpaceError(
                    f"{what} must be the number of a node, got {shown(position)}{hint}"
                )
            position = int(position)
        if not 0 <= position < self._net.size:
            raise SpaceError(
                f"{what} {shown(position)} is not one of the nodes 0..{self._net.size - 1}"
            )
        return position

    def distance(self, p: Position, q: Position) -> float:
        """Return the number of hops between two nodes; infinite if no way joins them."""
        steps = self._walks.steps(self.check(p), self.check(q))
        return math.inf if steps is None else float(steps)

    def check_move(self, start: Position, end: Position, speed: float) -> None:
        """Refuse a move of more than `speed` hops; see `Space`."""
        here, there = self.check(start, what="start"), self.check(end, what="end")
        hops = _hops(speed)
        if here == there:
            return
        if hops <= 1:
            row = self._net.around(here)
            place = bisect_left(row, there)
            possible = hops == 1 and place < len(row) and row[place] == there
        else:
            possible = self._walks.steps(here, there, hops) is not None
        if not possible:
            raise SpaceError(
                f"the move from node {self.name(here)!r} to {self.name(there)!r} takes more than "
                f"{hops} hops, the speed"
            )

    def path(self, start: Position, goal: Position) -> list[int]:
        """Return the nodes of the shortest way without `start`; see `Graph` for which one."""
        return self._walks.way(self.check(start, what="start"), self.check(goal, what="goal"))

    def toward(self, start: Position, goal: Position, speed: float = 1) -> int:
        """Return the node that `speed` hops of the path end at, or `goal` if that is nearer.

        `start` itself if no way leads to the goal.

        Raises
        ------
        SpaceError
            If one of them is not a node, or the speed is not a whole number from 0 on.
        """
        here, there = self.check(start, what="start"), self.check(goal, what="goal")
        hops = _hops(speed)
        while hops and here != there:
            onward = self._walks.onward(here, there)
            if onward is None:
                break
            here, hops = onward, hops - 1
        return here


def _pairs(
    edges: Iterable[tuple[Hashable, Hashable]] | Mapping[Any, Iterable[Hashable]],
    numbers: dict[Hashable, int],
) -> Iterable[tuple[Hashable, Hashable]]:
    if isinstance(edges, Mapping):
        for name in edges:
            numbers.setdefault(name, len(numbers))
        for name, others in edges.items():
            if isinstance(others, str) or not isinstance(others, Iterable):
                raise SpaceError(
                    f"node {shown(name)} must be mapped to its neighbours, got {shown(others)}"
                )
            for other in others:
                yield name, other
        return
    for edge in edges:
        if not isinstance(edge, tuple | list | np.ndarray) or len(edge) != 2:
            raise SpaceError(f"an edge must be a pair of nodes, got {shown(edge)}")
        yield edge[0], edge[1]


def _restored(
    indptr: NDArray[np.int32], indices: NDArray[np.int32], numbers: dict[Hashable, int] | None
) -> Graph:
    nodes = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    graph = Graph._of(len(indptr) - 1, np.stack([nodes, indices.astype(np.int64)], axis=1))
    graph._numbers, graph._names = numbers, None if numbers is None else list(numbers)
    return graph


def _hops(speed: object) -> int:
    if isinstance(speed, int | np.integer) and speed >= 0:
        return int(speed)
    if isinstance(speed, float | np.floating) and speed >= 0 and float(speed).is_integer():
        return int(speed)
    raise SpaceError(f"speed must be a whole number of hops from 0 on, got {shown(speed)}")
