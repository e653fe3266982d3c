from collections.abc import Sequence
from typing import Any, Literal, Self, final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from typing_extensions import disjoint_base

__all__ = [
    "Graph",
    "PositionHistory",
    "Scheduler",
    "StoryEntry",
    "VirtualServer",
    "__version__",
    "spawn_radius",
]
__version__: str

def spawn_radius(*, parent: Sequence[float], child: Sequence[float]) -> float | None:
    """Return how far away an agent may bring somebody about in a step; see `Scheduler.spawn`.

    Parameters
    ----------
    parent, child : (float, float, float)
        Their footprints: sight, reach, speed.

    Returns
    -------
    float or None
        The largest distance, which may be negative; None where the child is too fast.
    """

@disjoint_base
class Scheduler:
    """Decides which agents may run their next step while others are still behind.

    The drop-in at its smallest: arrays in, arrays out, bring your own loop::

        ready = scheduler.ready()
        while len(ready):
            scheduler.start(ready)
            new_positions = run_one_step(ready)
            ready = scheduler.finish(ready, new_positions)

    Agents are numbered from 0 in the order of joining; an id is never used again. All share one
    map unless `worlds` says otherwise. The result is the one lock-step would have given if agents
    perceive nothing beyond `sight` (in `metric`), affect nothing beyond `reach`, and read the
    state as it was at the start of their own step (rule "conservative"; DESIGN section 3). For a
    world object that is changed in place use rule "compatibility": neighbours then advance
    together, as clusters.

    Parameters
    ----------
    positions : array (n, 2)
        Where each agent stands at the start of step 0. Whole numbers (any integer dtype) are tiles
        of a grid, within +-2**30; floats are coordinates on a plane, within +-1e8. On a graph of
        shape (n,): the node of each agent. Copied.
    sight : number or array (n,)
        How far each agent perceives, in the unit of the positions. Whole numbers on a grid or
        graph.
    speed : number or array (n,)
        How far each agent moves in one step, likewise.
    reach : number or array (n,), optional
        How far the effects of a step go (writes, messages), likewise; at least `speed`, which is
        the default.
    metric : {"chebyshev", "manhattan", "euclidean"}
        The distance perception is limited by. A square of tiles around an agent is "chebyshev".
    wrap : (number, number), optional
        Size of the world where its borders are joined; positions are then within [0, size).
    rule : {"conservative", "compatibility"}
        See above.
    worlds : array (n,), optional
        The world of each agent, numbered from 0. Agents of different worlds never meet.
    graph : Graph, optional
        The graph whose nodes the agents stand on; distances are then hops, without metric and wrap.
    story_capacity : int, optional
        How many events `story` remembers, of all agents together; by default 65536, 0 for none.

    Raises
    ------
    ArrayTypeError, ArrayShapeError
        Wrong dtype or shape.
    OptionError
        Unknown metric or rule, unusable `wrap`, `worlds` or `graph`.
    PositionError, FootprintError, CapacityError
        A value that cannot be used; the message names the agent and the limit.

    Notes
    -----
    Safe to use from several threads, also on free-threaded Python: calls take turns, each is
    carried out or refused as a whole, and batches of 1024 agents or more are worked on without
    the interpreter lock. Arrays are copied at the beginning of a call: of one that another thread
    writes to meanwhile it may see some old values and some new. Nobody may change the shape, dtype
    or size of an array in place meanwhile; numpy does not allow that either.
    """
    def __new__(
        cls,
        positions: ArrayLike,
        *,
        sight: ArrayLike,
        speed: ArrayLike,
        reach: ArrayLike | None = None,
        metric: Literal["chebyshev", "manhattan", "euclidean"] | str = "chebyshev",
        wrap: Sequence[float] | NDArray[Any] | None = None,
        rule: Literal["conservative", "compatibility"] | str = "conservative",
        worlds: ArrayLike | None = None,
        graph: Graph | None = None,
        story_capacity: int | None = None,
    ) -> Self: ...
    def __len__(self) -> int: ...
    def ready(self) -> NDArray[np.int64]:
        """Return the agents that may start their next step.

        Returns
        -------
        int64 (k,)
            New array. Ordered by clock, then by the number of agents they hold up (most first; the
            busiest member speaks for a cluster), then by id. Members of a cluster stand together.
        """
    def start(self, ids: ArrayLike) -> None:
        """Mark agents as executing their next step.

        Parameters
        ----------
        ids : int64 (k,)
            Ready agents, each once; clusters whole. Any integers are taken, in an array or a
            list (copied).

        Raises
        ------
        BlockedError, RunningError, PartialClusterError, DuplicateAgentError, UnknownAgentError,
        AgentLeftError, ArrayTypeError, ArrayShapeError
            Nothing has changed then.
        """
    def finish(self, ids: ArrayLike, positions: ArrayLike) -> NDArray[np.int64]:
        """End the step of running agents, and return those that may start because of it.

        Parameters
        ----------
        ids : int64 (k,)
            Running agents, each once; clusters whole. Any integers are taken, in an array or a
            list (copied).
        positions : array (k, 2)
            Where each of them stands now, at most its `speed` from where it stood; whole numbers
            on a grid; on a graph nodes, of shape (k,). Copied.

        Returns
        -------
        int64 (m,)
            New array: the agents that have become ready by this call, ordered as in `ready`. Those
            that were ready before are not repeated.

        Raises
        ------
        NotRunningError, OverSpeedError, PositionError, PartialClusterError, DuplicateAgentError,
        UnknownAgentError, AgentLeftError, CapacityError, ArrayTypeError, ArrayShapeError
            Nothing has changed then.
        """
    def add(
        self,
        position: ArrayLike,
        *,
        sight: float | None = None,
        speed: float | None = None,
        reach: float | None = None,
        world: int | None = None,
        at: int | None = None,
    ) -> tuple[int, int]:
        """Let an agent join.

        Somebody ahead may already have read what the newcomer would have affected, so it can join
        only from a certain step on. An agent that may start at once counts as having started; add
        those who belong together in order, or at later steps. Looks at every agent of the world.
        Under the compatibility rule the newcomer becomes a member of the cluster it stands in,
        which may then have to wait: ask `ready` again after adding.

        Parameters
        ----------
        position : (x, y), or a node on a graph
            Where it stands at the start of its first step.
        sight, speed, reach : float, optional
            Its footprint; by default the one all first agents share, or the numbers given at the
            start where there were none (`reach` defaults to `speed` if that is given).
        world : int, optional
            Its world; by default 0.
        at : int, optional
            Its first step; by default the earliest possible.

        Returns
        -------
        (int, int)
            Its id and its first step. If it may start at once it is among `ready()`.

        Raises
        ------
        JoinsTooEarlyError
            With the earliest possible step as attribute `earliest`; nothing has changed then.
        JoinsAheadError
            Compatibility rule: somebody behind would see it too early; likewise.
        OptionError, PositionError, FootprintError, CapacityError, ArrayTypeError, ArrayShapeError
            Likewise.
        """
    def spawn(
        self,
        parent: int,
        position: ArrayLike,
        *,
        sight: float | None = None,
        speed: float | None = None,
        reach: float | None = None,
    ) -> int:
        """Let a running agent bring somebody about, as an effect of the step it executes.

        The child joins at the step after, in its parent's world; it becomes ready at the earliest
        when the parent finishes. Unlike for `add`, that step does not depend on how far others
        are, and nobody else is looked at. Conservative rule only.

        Parameters
        ----------
        parent : int
            Who brings it about; running.
        position : (x, y), or a node on a graph
            Where the child stands at the start of its first step. At most the parent's `reach` from
            where the parent stood at the start of its step; less, by as much as the child's `reach`
            is greater than the parent's `speed`.
        sight, speed, reach : float, optional
            The child's footprint; defaults as in `add`. At most as fast as its parent.

        Returns
        -------
        int
            The child's id. Ids are given in the order of calls, which depends on who is fast: name
            a child by its parent's name and step where the order of runs must not show.

        Raises
        ------
        NotRunningError
            The parent executes no step; nothing has changed then.
        SpawnError
            Too far away, too fast, or under the compatibility rule; likewise.
        UnknownAgentError, AgentLeftError, OptionError, PositionError, FootprintError,
        CapacityError, ArrayTypeError, ArrayShapeError
            Likewise.
        """
    def remove(self, ids: ArrayLike) -> NDArray[np.int64]:
        """Let agents leave; return those that may start because of it.

        In a versioned world others at the leaver's clock may already have seen it, so it is still
        part of the snapshot of its clock and gone from the next one. In a world changed in place
        (compatibility rule) it is gone at once.

        Parameters
        ----------
        ids : int64 (k,)
            Agents that are not running, each once.

        Returns
        -------
        int64 (m,)
            New array: the agents that have become ready by this call, ordered as in `ready`.

        Raises
        ------
        RunningError, DuplicateAgentError, UnknownAgentError, AgentLeftError, ArrayTypeError,
        ArrayShapeError
            Nothing has changed then.
        """
    def blockers(self, agent: int) -> NDArray[np.int64]:
        """Return everybody who blocks this agent now, by id (int64, new array); empty if nobody does.

        Raises
        ------
        UnknownAgentError, AgentLeftError
        """
    def story(self, agent: int) -> list[StoryEntry]:
        """Return what is remembered of this agent, oldest first: why it waited, on whom, until when.

        `str()` of an entry is a sentence. The memory holds the last `story_capacity` events of all.

        Raises
        ------
        UnknownAgentError
        """
    def status(self, agent: int) -> Literal["blocked", "held", "ready", "running", "left"]:
        """Return what the agent is doing: blocked, held, ready, running or left.

        `held` is not blocked itself, but a member of its cluster is.

        Raises
        ------
        UnknownAgentError
        """
    def held_up(self, agent: int) -> int:
        """Return how many agents wait for this one, directly or through others.

        Every blocked agent counts under the one blocker it waits for.

        Raises
        ------
        UnknownAgentError
        """
    def clusters(self, ids: ArrayLike) -> NDArray[np.int64]:
        """Return, for each agent, the smallest id of the cluster it is ready or running with.

        An agent alone, blocked or gone is its own cluster; so is every agent under the conservative
        rule. Agents with equal labels start and finish together.

        Parameters
        ----------
        ids : int64 (k,)

        Returns
        -------
        int64 (k,)
            New array.

        Raises
        ------
        UnknownAgentError, ArrayTypeError, ArrayShapeError
        """
    def validate(self) -> None:
        """Re-derive every stored fact and check every invariant. Slow; for tests.

        Raises
        ------
        InvariantError
            A bug of Headway.
        """
    @property
    def clocks(self) -> NDArray[np.int64]:
        """The next step of each agent (while running: the one it executes); int64 (n,), new array.

        Of agents that left, the step they would have executed next.
        """
    @property
    def positions(self) -> NDArray[Any]:
        """Where each agent stood at the start of its current step: int64 or float64 (n, 2), new array.

        On a graph int64 (n,), the nodes.
        """
    @property
    def frontier(self) -> int:
        """The smallest clock of the agents present: no step before it can change any more."""
    @property
    def metric(self) -> str:
        """The metric, as given; "hops" on a graph."""
    @property
    def rule(self) -> str:
        """The rule, as given."""

@final
class StoryEntry:
    """One thing that happened to an agent; `str()` tells it as a sentence. It never changes."""
    @property
    def number(self) -> int:
        """Position in the log of all agents."""
    @property
    def agent(self) -> int:
        """The agent's id."""
    @property
    def clock(self) -> int:
        """The agent's clock then (of `finished`: the step it finished)."""
    @property
    def what(self) -> str:
        """One of joined, waited, released, unblocked, ready, started, finished, left."""
    @property
    def witness(self) -> int | None:
        """Whom it waited for (of `waited` and `released`), else None."""
    @property
    def witness_clock(self) -> int | None:
        """The witness's clock then, else None."""
    @property
    def distance(self) -> float | None:
        """Distance to the witness then (of `waited`), else None."""
    @property
    def bound(self) -> float | None:
        """Distance it would have had to exceed (of `waited`), else None."""
    @property
    def wake_at(self) -> int | None:
        """Clock of the witness at which it is examined again (of `waited`), else None."""

@final
class Graph:
    """A graph whose nodes are the places of agents: the distance of two is the number of hops.

    For social networks, whose agents mostly stay (speed 0) and see those they are linked with
    (sight 1). Links go both ways; where no path leads, agents are infinitely far apart. Pass it to
    `Scheduler` or `PositionHistory` as `graph`; several may share one.

    Parameters
    ----------
    indptr : int64 (n + 1,)
        Where the links of each node begin in `indices`, and the number of links at last: the
        layout of `scipy.sparse.csr_array`. Copied.
    indices : int64 (m,)
        The nodes that node i is linked with are `indices[indptr[i]:indptr[i + 1]]`. A link given
        one way counts both ways; doubles and links of a node with itself do not matter. Copied.

    Raises
    ------
    ArrayTypeError, ArrayShapeError
        Not whole numbers; not one-dimensional.
    OptionError
        Numbers that make no graph; the message names the first.

    Notes
    -----
    Never changes; safe to use from several threads, as in `Scheduler`.
    """
    def __new__(cls, indptr: ArrayLike, indices: ArrayLike) -> Graph: ...
    def __len__(self) -> int: ...
    def hops(self, a: int, b: int) -> float:
        """Return the number of hops between two nodes, `inf` where no path leads.

        Walks outward from `a` until it meets `b`; asked again about the same `a`, it goes on.

        Raises
        ------
        PositionError, ArrayTypeError
            No such node; not a whole number.
        """
    def neighbours(self, node: int) -> NDArray[np.int64]:
        """Return the nodes linked with this one, ascending (int64, new array).

        Raises
        ------
        PositionError, ArrayTypeError
            No such node; not a whole number.
        """

@disjoint_base
class PositionHistory:
    """Where everybody stood at the start of every step, in a world whose agents have different clocks.

    An agent at step t must see the others where they stood at the start of step t, also those who
    have gone on since. Tell the history every move; ask it who was near; and tell it which steps
    nobody will ask about any more (those before the scheduler's `frontier`), so that it forgets
    them. An agent that stands still costs nothing.

    Parameters
    ----------
    positions : array (n, 2)
        Where agents 0..n-1 stand from step 0 on. Whole numbers (any integer dtype) are tiles of a
        grid, within +-2**30; floats are coordinates on a plane, within +-1e8. On a graph of shape
        (n,): the node of each agent. Copied.
    metric : {"chebyshev", "manhattan", "euclidean"}
        The distance radii are meant in.
    wrap : (number, number), optional
        Size of the world where its borders are joined; positions are then within [0, size).
    radius : float, optional
        That of a typical question, in the unit of the positions; it decides how fast answers are,
        never what they are.
    graph : Graph, optional
        The graph whose nodes the agents stand on; distances are then hops, without metric and wrap.

    Raises
    ------
    ArrayTypeError, ArrayShapeError
        Wrong dtype or shape.
    OptionError
        Unknown metric, unusable `wrap`, `radius` or `graph`.
    PositionError, CapacityError
        A value that cannot be used; the message names the agent and the limit.

    Notes
    -----
    Safe to use from several threads, also on free-threaded Python: calls take turns, each is
    carried out or refused as a whole, and batches of 1024 moves or more are worked on without
    the interpreter lock. Arrays are copied at the beginning of a call: of one that another thread
    writes to meanwhile it may see some old values and some new. Nobody may change the shape, dtype
    or size of an array in place meanwhile; numpy does not allow that either.
    """
    def __new__(
        cls,
        positions: ArrayLike,
        *,
        metric: Literal["chebyshev", "manhattan", "euclidean"] | str = "chebyshev",
        wrap: Sequence[float] | NDArray[Any] | None = None,
        radius: float = 1.0,
        graph: Graph | None = None,
    ) -> Self: ...
    def __len__(self) -> int: ...
    def add(self, position: ArrayLike, step: int) -> int:
        """Tell that somebody new is there.

        Parameters
        ----------
        position : (x, y), or a node on a graph
            Where it stands.
        step : int
            The first step at whose start it is there.

        Returns
        -------
        int
            Its id: the number of agents before it.

        Raises
        ------
        StepError
            The step has been forgotten; nothing has changed then.
        PositionError, CapacityError, ArrayTypeError, ArrayShapeError
            Likewise.
        """
    def move(self, ids: ArrayLike, steps: ArrayLike, positions: ArrayLike) -> None:
        """Tell where agents stand from some step on.

        Parameters
        ----------
        ids : int64 (k,)
            Who, each once. Any integers are taken, in an array or a list (copied).
        steps : int64 (k,)
            The first step at whose start each of them stands there: the one after the step in which
            it moved. Later than the step at which it came where it stood before.
        positions : array (k, 2)
            Where; whole numbers on a grid, on a graph nodes, of shape (k,). Who stands there already costs nothing. Copied.

        Raises
        ------
        StepError
            A step has been forgotten, or is not after the agent's latest move; nothing has changed
            then.
        PositionError, DuplicateAgentError, UnknownAgentError, AgentLeftError, CapacityError,
        ArrayTypeError, ArrayShapeError
            Likewise.
        """
    def remove(self, ids: ArrayLike, steps: ArrayLike) -> None:
        """Tell that agents are gone from some step on.

        Parameters
        ----------
        ids : int64 (k,)
            Who, each once. Any integers are taken, in an array or a list (copied).
        steps : int64 (k,)
            The first step at whose start each of them is not there. Later than the step at which
            it came where it stands.

        Raises
        ------
        StepError
            A step has been forgotten, or is not after the agent's latest move; nothing has changed
            then.
        DuplicateAgentError, UnknownAgentError, AgentLeftError, ArrayTypeError, ArrayShapeError
            Likewise.
        """
    def neighbours(self, agent: int, step: int, radius: float) -> list[int]:
        """Return the others who stood near an agent at the start of a step.

        Parameters
        ----------
        agent : int
            Around whom.
        step : int
            When.
        radius : float
            At most this far away, in the metric of the history.

        Returns
        -------
        list of int
            Their ids, ascending.

        Raises
        ------
        StepError
            The step has been forgotten, or the agent was not there yet.
        AgentLeftError
            It was gone by then.
        UnknownAgentError, OptionError
            No such agent; not a radius.
        """
    def near(self, position: ArrayLike, step: int, radius: float) -> list[int]:
        """Return everybody who stood near a place at the start of a step.

        Parameters
        ----------
        position : (x, y), or a node on a graph
            Around where.
        step : int
            When.
        radius : float
            At most this far away, in the metric of the history.

        Returns
        -------
        list of int
            Their ids, ascending.

        Raises
        ------
        StepError
            The step has been forgotten.
        PositionError, OptionError, ArrayTypeError, ArrayShapeError
            Not a position; not a radius.
        """
    def position(self, agent: int, step: int) -> Any:  # noqa: ANN401
        """Return where an agent stood at the start of a step: (x, y) of ints or floats as at first.

        On a graph an int, the node.

        Raises
        ------
        StepError
            The step has been forgotten, or the agent was not there yet.
        AgentLeftError
            It was gone by then.
        UnknownAgentError
        """
    def positions(self, ids: ArrayLike, steps: ArrayLike) -> NDArray[Any]:
        """Return where agents stood at the start of steps.

        Parameters
        ----------
        ids : int64 (k,)
            Who; the same agent may stand there more than once.
        steps : int64 (k,)
            When, of each.

        Returns
        -------
        int64 or float64 (k, 2)
            New array; on a graph int64 (k,), the nodes.

        Raises
        ------
        StepError
            A step has been forgotten, or an agent was not there yet.
        AgentLeftError
            One was gone by then.
        UnknownAgentError, ArrayTypeError, ArrayShapeError
        """
    def forget(self, before: int) -> None:
        """Promise that nobody will ask about steps before this one; what only they could see is freed.

        Costs as much as it frees. A step before one forgotten earlier changes nothing.

        Raises
        ------
        StepError
            Not a step.
        """
    def validate(self) -> None:
        """Re-derive every stored fact. Slow; for tests.

        Raises
        ------
        InvariantError
            A bug of Headway.
        """
    @property
    def versions(self) -> int:
        """Number of versions kept: one for each place at which somebody stood while it may be asked."""
    @property
    def oldest(self) -> int:
        """The oldest step that may be asked about."""

@final
class VirtualServer:
    """A modelled LLM server with continuous batching. All its times are modelled seconds.

    Each of `replicas` forms iterations of at most `max_sequences` requests and `token_budget`
    tokens, in the order of (priority, arrival). An iteration lasts
    `max(t0, p * prefill_tokens) + d * decoding_sequences` seconds (DESIGN section 6). Nothing
    happens between calls: `advance` jumps to the next completion.

    Parameters
    ----------
    replicas : int
        Copies of the model; a request goes to the one with the fewest requests in flight.
    t0, p, d : float
        Seconds: of an iteration at least, per prompt token, per decoding sequence.
    max_sequences : int
        Requests a replica works on at a time.
    token_budget : int
        Tokens of one iteration; longer prompts are processed in chunks.

    Raises
    ------
    EngineError
        A number outside its range; the message names the range.

    Notes
    -----
    Safe to use from several threads, as in `Scheduler`: each call is carried out or refused as a
    whole, one after the other.
    """
    def __new__(
        cls,
        replicas: int,
        *,
        t0: float,
        p: float,
        d: float,
        max_sequences: int,
        token_budget: int,
    ) -> VirtualServer: ...
    def submit(
        self, priorities: ArrayLike, prompt_tokens: ArrayLike, output_tokens: ArrayLike
    ) -> NDArray[np.int64]:
        """Submit a batch of requests now.

        Parameters
        ----------
        priorities : int64 (k,)
            Smaller is served first; of equals the one submitted first.
        prompt_tokens, output_tokens : int64 (k,)
            At least 1 each, at most 2**32 - 1.

        Returns
        -------
        int64 (k,)
            New array: the requests' ids, counted from 0 in the order of submission.

        Raises
        ------
        EngineError, ArrayTypeError, ArrayShapeError
            Nothing has been submitted then.
        """
    def advance(self) -> NDArray[np.int64]:
        """Jump to the next time at which a request finishes.

        Returns
        -------
        int64 (k,)
            New array: all requests that finish at that very time, by replica, then in the order of
            admission. Empty, and no time passes, if nothing is in flight.
        """
    def cancel(self, request: int) -> bool:
        """Take a request back; return whether it was still in flight.

        Raises
        ------
        EngineError
            If no request with this id was ever submitted.
        """
    def lone_latency(
        self, prompt_tokens: ArrayLike, output_tokens: ArrayLike
    ) -> NDArray[np.float64]:
        """Return how long calls would take alone on an idle replica, in modelled seconds.

        Parameters
        ----------
        prompt_tokens, output_tokens : int64 (k,)

        Returns
        -------
        float64 (k,)
            New array.

        Raises
        ------
        EngineError, ArrayTypeError, ArrayShapeError
        """
    def statistics(self) -> dict[str, float]:
        """Return what has been done up to now, as a dict.

        `seconds` (modelled, since the start), `submitted`, `finished`, `cancelled`,
        `in_flight_seconds` (summed over requests), and summed over replicas `busy_seconds`,
        `iterations`, `prompt_tokens`, `output_tokens`, `cancelled_tokens`.
        """
    @property
    def now(self) -> float:
        """Modelled seconds since the start."""
    @property
    def in_flight(self) -> int:
        """How many requests wait or run."""
    @property
    def replicas(self) -> int:
        """How many copies of the model there are, as given."""
