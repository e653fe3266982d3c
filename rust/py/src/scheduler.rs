//! `headway.Scheduler`: borrows arguments, calls the core, converts results.

use headway_core::{AgentId, Error, Footprint, Graph, Grid, NewAgent, Plane, Scheduler};
use headway_core::{Space, Status};
use numpy::PyArray1;
use pyo3::prelude::*;

use crate::arrays::{self, Positions};
use crate::error::{from_core, plain};
use crate::options::{Name, footprints, rule_named, worlds_of};
use crate::places::{Kind, OTHER_KIND, Place, Start};
use crate::shared::Shared;
use crate::story::PyStoryEntry;

/// More than a scheduler takes for each, also while it is made.
const BYTES_AN_AGENT: usize = 512;

/// Events the story remembers by default, of all agents together.
const STORY_CAPACITY: usize = 65536;

enum Inner {
    Grid(Scheduler<Grid>),
    Plane(Scheduler<Plane>),
    Graph(Scheduler<Graph>),
}

/// The same expression for any kind of position.
macro_rules! any {
    ($inner:expr, $scheduler:ident => $body:expr) => {
        match $inner {
            Inner::Grid($scheduler) => $body,
            Inner::Plane($scheduler) => $body,
            Inner::Graph($scheduler) => $body,
        }
    };
}

/// Decides which agents may run their next step while others are still behind.
///
/// The drop-in at its smallest: arrays in, arrays out, bring your own loop::
///
///     ready = scheduler.ready()
///     while len(ready):
///         scheduler.start(ready)
///         new_positions = run_one_step(ready)
///         ready = scheduler.finish(ready, new_positions)
///
/// Agents are numbered from 0 in the order of joining; an id is never used again. All share one
/// map unless `worlds` says otherwise. The result is the one lock-step would have given if agents
/// perceive nothing beyond `sight` (in `metric`), affect nothing beyond `reach`, and read the
/// state as it was at the start of their own step (rule "conservative"; DESIGN section 3). For a
/// world object that is changed in place use rule "compatibility": neighbours then advance
/// together, as clusters.
///
/// Parameters
/// ----------
/// positions : array (n, 2)
///     Where each agent stands at the start of step 0. Whole numbers (any integer dtype) are tiles
///     of a grid, within +-2**30; floats are coordinates on a plane, within +-1e8. On a graph of
///     shape (n,): the node of each agent. Copied.
/// sight : number or array (n,)
///     How far each agent perceives, in the unit of the positions. Whole numbers on a grid or
///     graph.
/// speed : number or array (n,)
///     How far each agent moves in one step, likewise.
/// reach : number or array (n,), optional
///     How far the effects of a step go (writes, messages), likewise; at least `speed`, which is
///     the default.
/// metric : {"chebyshev", "manhattan", "euclidean"}
///     The distance perception is limited by. A square of tiles around an agent is "chebyshev".
/// wrap : (number, number), optional
///     Size of the world where its borders are joined; positions are then within [0, size).
/// rule : {"conservative", "compatibility"}
///     See above.
/// worlds : array (n,), optional
///     The world of each agent, numbered from 0. Agents of different worlds never meet.
/// graph : Graph, optional
///     The graph whose nodes the agents stand on; distances are then hops, without metric and wrap.
/// story_capacity : int, optional
///     How many events `story` remembers, of all agents together; by default 65536, 0 for none.
///
/// Raises
/// ------
/// ArrayTypeError, ArrayShapeError
///     Wrong dtype or shape.
/// OptionError
///     Unknown metric or rule, unusable `wrap`, `worlds` or `graph`.
/// PositionError, FootprintError, CapacityError
///     A value that cannot be used; the message names the agent and the limit.
///
/// Notes
/// -----
/// Safe to use from several threads, also on free-threaded Python: calls take turns, each is
/// carried out or refused as a whole, and batches of 1024 agents or more are worked on without
/// the interpreter lock. Arrays are copied at the beginning of a call: of one that another thread
/// writes to meanwhile it may see some old values and some new. Nobody may change the shape, dtype
/// or size of an array in place meanwhile; numpy does not allow that either.
#[pyclass(frozen, subclass, name = "Scheduler", module = "headway")]
pub struct PyScheduler {
    inner: Shared<Inner>,
    kind: Kind,
    metric: &'static str,
    rule: &'static str,
    /// The footprint all first agents share, or would if there were any, for those who join later.
    common: Option<Footprint>,
}

/// Arrays of ids, labels and steps.
type Ids<'py> = Bound<'py, PyArray1<i64>>;

#[pymethods]
impl PyScheduler {
    #[new]
    #[pyo3(signature = (positions, *, sight, speed, reach=None, metric="chebyshev".into(),
                        wrap=None, rule="conservative".into(), worlds=None, graph=None,
                        story_capacity=None),
           text_signature = "(positions, *, sight, speed, reach=None, metric='chebyshev', \
                             wrap=None, rule='conservative', worlds=None, graph=None, \
                             story_capacity=None)")]
    #[allow(clippy::too_many_arguments)]
    fn new(
        positions: &Bound<'_, PyAny>,
        sight: &Bound<'_, PyAny>,
        speed: &Bound<'_, PyAny>,
        reach: Option<&Bound<'_, PyAny>>,
        metric: Name<'_>,
        wrap: Option<&Bound<'_, PyAny>>,
        rule: Name<'_>,
        worlds: Option<&Bound<'_, PyAny>>,
        graph: Option<&Bound<'_, PyAny>>,
        story_capacity: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let py = positions.py();
        let (rule_name, rule) = rule_named(py, &rule)?;
        let story_capacity = match story_capacity {
            Some(given) => {
                arrays::option(given, "story_capacity", (0, 1 << 40), "OptionError")? as usize
            }
            None => STORY_CAPACITY,
        };
        let (metric, start) = Start::read(positions, &metric, wrap, graph)?;
        let (kind, agents) = (start.kind(), start.agents());
        arrays::check_room("agents", agents, BYTES_AN_AGENT)?;
        let (footprints, common) = footprints(sight, speed, reach, agents)?;
        let worlds = worlds.map(|given| worlds_of(given, agents)).transpose()?;
        let world = |i: usize| worlds.as_ref().map_or(0, |worlds| worlds[i]);
        let inner = match start {
            Start::Grid(grid, tiles) => {
                let agents = join(&tiles, &footprints, world);
                py.detach(|| Scheduler::new(grid, rule, &agents, story_capacity)).map(Inner::Grid)
            }
            Start::Plane(plane, places) => {
                let agents = join(&places, &footprints, world);
                py.detach(|| Scheduler::new(plane, rule, &agents, story_capacity)).map(Inner::Plane)
            }
            Start::Graph(graph, nodes) => {
                let agents = join(&nodes, &footprints, world);
                py.detach(|| Scheduler::new(graph, rule, &agents, story_capacity)).map(Inner::Graph)
            }
        };
        let inner = Shared::new(inner.map_err(|error| from_core(py, &error))?);
        Ok(Self { inner, kind, metric, rule: rule_name, common })
    }

    /// Return the agents that may start their next step.
    ///
    /// Returns
    /// -------
    /// int64 (k,)
    ///     New array. Ordered by clock, then by the number of agents they hold up (most first; the
    ///     busiest member speaks for a cluster), then by id. Members of a cluster stand together.
    fn ready<'py>(&self, py: Python<'py>) -> PyResult<Ids<'py>> {
        let ready = self.inner.with(py, |inner| any!(inner, scheduler => scheduler.ready()))?;
        Ok(arrays::from_ids(py, &ready))
    }

    /// Mark agents as executing their next step.
    ///
    /// Parameters
    /// ----------
    /// ids : int64 (k,)
    ///     Ready agents, each once; clusters whole. Any integers are taken, in an array or a
    ///     list (copied).
    ///
    /// Raises
    /// ------
    /// BlockedError, RunningError, PartialClusterError, DuplicateAgentError, UnknownAgentError,
    /// AgentLeftError, ArrayTypeError, ArrayShapeError
    ///     Nothing has changed then.
    fn start(&self, ids: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = ids.py();
        let ids = self.ids(ids)?;
        self.call(py, ids.len(), |inner| any!(inner, scheduler => scheduler.start(&ids)))
    }

    /// End the step of running agents, and return those that may start because of it.
    ///
    /// Parameters
    /// ----------
    /// ids : int64 (k,)
    ///     Running agents, each once; clusters whole. Any integers are taken, in an array or a
    ///     list (copied).
    /// positions : array (k, 2)
    ///     Where each of them stands now, at most its `speed` from where it stood; whole numbers
    ///     on a grid; on a graph nodes, of shape (k,). Copied.
    ///
    /// Returns
    /// -------
    /// int64 (m,)
    ///     New array: the agents that have become ready by this call, ordered as in `ready`. Those
    ///     that were ready before are not repeated.
    ///
    /// Raises
    /// ------
    /// NotRunningError, OverSpeedError, PositionError, PartialClusterError, DuplicateAgentError,
    /// UnknownAgentError, AgentLeftError, CapacityError, ArrayTypeError, ArrayShapeError
    ///     Nothing has changed then.
    fn finish<'py>(
        &self,
        ids: &Bound<'py, PyAny>,
        positions: &Bound<'py, PyAny>,
    ) -> PyResult<Ids<'py>> {
        let py = ids.py();
        let ids = self.ids(ids)?;
        let count = ids.len();
        let whose = |row: usize| {
            let id = ids.get(row).copied().unwrap_or(AgentId(u32::MAX));
            let clock = |inner: &mut Inner| any!(inner, scheduler => scheduler.clock(id)).ok();
            (id, self.inner.with(py, clock).ok().flatten())
        };
        let mut newly_ready = Vec::new();
        let positions = self.kind.positions(positions, whose)?;
        if positions.len() != count {
            let message = format!("finish() got {count} ids and {} positions", positions.len());
            return Err(plain(py, "ArrayShapeError", message));
        }
        self.call(py, count, |inner| match (inner, &positions) {
            (Inner::Grid(scheduler), Positions::Grid(tiles)) => {
                scheduler.finish(&ids, tiles, &mut newly_ready)
            }
            (Inner::Plane(scheduler), Positions::Plane(places)) => {
                scheduler.finish(&ids, places, &mut newly_ready)
            }
            (Inner::Graph(scheduler), Positions::Graph(nodes)) => {
                scheduler.finish(&ids, nodes, &mut newly_ready)
            }
            _ => unreachable!("{OTHER_KIND}"),
        })?;
        Ok(arrays::from_ids(py, &newly_ready))
    }

    /// Let an agent join.
    ///
    /// Somebody ahead may already have read what the newcomer would have affected, so it can join
    /// only from a certain step on. An agent that may start at once counts as having started; add
    /// those who belong together in order, or at later steps. Looks at every agent of the world.
    /// Under the compatibility rule the newcomer becomes a member of the cluster it stands in,
    /// which may then have to wait: ask `ready` again after adding.
    ///
    /// Parameters
    /// ----------
    /// position : (x, y), or a node on a graph
    ///     Where it stands at the start of its first step.
    /// sight, speed, reach : float, optional
    ///     Its footprint; by default the one all first agents share, or the numbers given at the
    ///     start where there were none (`reach` defaults to `speed` if that is given).
    /// world : int, optional
    ///     Its world; by default 0.
    /// at : int, optional
    ///     Its first step; by default the earliest possible.
    ///
    /// Returns
    /// -------
    /// (int, int)
    ///     Its id and its first step. If it may start at once it is among `ready()`.
    ///
    /// Raises
    /// ------
    /// JoinsTooEarlyError
    ///     With the earliest possible step as attribute `earliest`; nothing has changed then.
    /// JoinsAheadError
    ///     Compatibility rule: somebody behind would see it too early; likewise.
    /// OptionError, PositionError, FootprintError, CapacityError, ArrayTypeError, ArrayShapeError
    ///     Likewise.
    #[pyo3(signature = (position, *, sight=None, speed=None, reach=None, world=None, at=None))]
    #[allow(clippy::too_many_arguments)]
    fn add(
        &self,
        position: &Bound<'_, PyAny>,
        sight: Option<&Bound<'_, PyAny>>,
        speed: Option<&Bound<'_, PyAny>>,
        reach: Option<&Bound<'_, PyAny>>,
        world: Option<&Bound<'_, PyAny>>,
        at: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<(u32, u32)> {
        let py = position.py();
        let footprint = self.newcomer(py, "add", sight, speed, reach)?;
        let world = match world {
            Some(given) => {
                arrays::option(given, "world", (0, (1 << 24) - 1), "OptionError")? as u32
            }
            None => 0,
        };
        let at = match at {
            Some(given) => {
                Some(arrays::option(given, "at", (0, u64::from(u32::MAX) - 1), "OptionError")?
                    as u32)
            }
            None => None,
        };
        let place = self.place(position)?;
        let mut newly_ready = Vec::new();
        let joined = self.inner.detached(py, |inner| match (inner, place) {
            (Inner::Grid(scheduler), Place::Tile(position)) => {
                scheduler.add(&NewAgent { position, footprint, world }, at, &mut newly_ready)
            }
            (Inner::Plane(scheduler), Place::Coordinates(position)) => {
                scheduler.add(&NewAgent { position, footprint, world }, at, &mut newly_ready)
            }
            (Inner::Graph(scheduler), Place::Node(position)) => {
                scheduler.add(&NewAgent { position, footprint, world }, at, &mut newly_ready)
            }
            _ => unreachable!("{OTHER_KIND}"),
        })?;
        let (id, step) = joined.map_err(|error| from_core(py, &error))?;
        Ok((id.0, step))
    }

    /// Let a running agent bring somebody about, as an effect of the step it executes.
    ///
    /// The child joins at the step after, in its parent's world; it becomes ready at the earliest
    /// when the parent finishes. Unlike for `add`, that step does not depend on how far others
    /// are, and nobody else is looked at. Conservative rule only.
    ///
    /// Parameters
    /// ----------
    /// parent : int
    ///     Who brings it about; running.
    /// position : (x, y), or a node on a graph
    ///     Where the child stands at the start of its first step. At most the parent's `reach` from
    ///     where the parent stood at the start of its step; less, by as much as the child's `reach`
    ///     is greater than the parent's `speed`.
    /// sight, speed, reach : float, optional
    ///     The child's footprint; defaults as in `add`. At most as fast as its parent.
    ///
    /// Returns
    /// -------
    /// int
    ///     The child's id. Ids are given in the order of calls, which depends on who is fast: name
    ///     a child by its parent's name and step where the order of runs must not show.
    ///
    /// Raises
    /// ------
    /// NotRunningError
    ///     The parent executes no step; nothing has changed then.
    /// SpawnError
    ///     Too far away, too fast, or under the compatibility rule; likewise.
    /// UnknownAgentError, AgentLeftError, OptionError, PositionError, FootprintError,
    /// CapacityError, ArrayTypeError, ArrayShapeError
    ///     Likewise.
    #[pyo3(signature = (parent, position, *, sight=None, speed=None, reach=None))]
    fn spawn(
        &self,
        parent: &Bound<'_, PyAny>,
        position: &Bound<'_, PyAny>,
        sight: Option<&Bound<'_, PyAny>>,
        speed: Option<&Bound<'_, PyAny>>,
        reach: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<u32> {
        let py = position.py();
        let parent = arrays::agent(parent, || self.joined(py))?;
        let footprint = self.newcomer(py, "spawn", sight, speed, reach)?;
        let place = self.place(position)?;
        let child = self.call(py, 1, |inner| match (inner, place) {
            (Inner::Grid(scheduler), Place::Tile(position)) => {
                scheduler.spawn(parent, position, footprint)
            }
            (Inner::Plane(scheduler), Place::Coordinates(position)) => {
                scheduler.spawn(parent, position, footprint)
            }
            (Inner::Graph(scheduler), Place::Node(position)) => {
                scheduler.spawn(parent, position, footprint)
            }
            _ => unreachable!("{OTHER_KIND}"),
        })?;
        Ok(child.0)
    }

    /// Let agents leave; return those that may start because of it.
    ///
    /// In a versioned world others at the leaver's clock may already have seen it, so it is still
    /// part of the snapshot of its clock and gone from the next one. In a world changed in place
    /// (compatibility rule) it is gone at once.
    ///
    /// Parameters
    /// ----------
    /// ids : int64 (k,)
    ///     Agents that are not running, each once.
    ///
    /// Returns
    /// -------
    /// int64 (m,)
    ///     New array: the agents that have become ready by this call, ordered as in `ready`.
    ///
    /// Raises
    /// ------
    /// RunningError, DuplicateAgentError, UnknownAgentError, AgentLeftError, ArrayTypeError,
    /// ArrayShapeError
    ///     Nothing has changed then.
    fn remove<'py>(&self, ids: &Bound<'py, PyAny>) -> PyResult<Ids<'py>> {
        let py = ids.py();
        let ids = self.ids(ids)?;
        let mut newly_ready = Vec::new();
        self.call(
            py,
            ids.len(),
            |inner| any!(inner, scheduler => scheduler.remove(&ids, &mut newly_ready)),
        )?;
        Ok(arrays::from_ids(py, &newly_ready))
    }

    /// Return everybody who blocks this agent now, by id (int64, new array); empty if nobody does.
    ///
    /// Raises
    /// ------
    /// UnknownAgentError, AgentLeftError
    fn blockers<'py>(&self, agent: &Bound<'py, PyAny>) -> PyResult<Ids<'py>> {
        let blockers =
            self.ask(agent, |inner, id| any!(inner, scheduler => scheduler.blockers(id)))?;
        Ok(arrays::from_ids(agent.py(), &blockers))
    }

    /// Return what is remembered of this agent, oldest first: why it waited, on whom, until when.
    ///
    /// `str()` of an entry is a sentence. The memory holds the last `story_capacity` events of all.
    ///
    /// Raises
    /// ------
    /// UnknownAgentError
    fn story(&self, agent: &Bound<'_, PyAny>) -> PyResult<Vec<PyStoryEntry>> {
        let story = self.ask(agent, |inner, id| any!(inner, scheduler => scheduler.story(id)))?;
        Ok(story.into_iter().map(PyStoryEntry).collect())
    }

    /// Return what the agent is doing: blocked, held, ready, running or left.
    ///
    /// `held` is not blocked itself, but a member of its cluster is.
    ///
    /// Raises
    /// ------
    /// UnknownAgentError
    fn status(&self, agent: &Bound<'_, PyAny>) -> PyResult<&'static str> {
        let status = self.ask(agent, |inner, id| any!(inner, scheduler => scheduler.status(id)))?;
        Ok(match status {
            Status::Blocked => "blocked",
            Status::Held => "held",
            Status::Ready => "ready",
            Status::Running => "running",
            Status::Left => "left",
        })
    }

    /// Return how many agents wait for this one, directly or through others.
    ///
    /// Every blocked agent counts under the one blocker it waits for.
    ///
    /// Raises
    /// ------
    /// UnknownAgentError
    fn held_up(&self, agent: &Bound<'_, PyAny>) -> PyResult<u32> {
        self.ask(agent, |inner, id| any!(inner, scheduler => scheduler.held_up(id)))
    }

    /// Return, for each agent, the smallest id of the cluster it is ready or running with.
    ///
    /// An agent alone, blocked or gone is its own cluster; so is every agent under the conservative
    /// rule. Agents with equal labels start and finish together.
    ///
    /// Parameters
    /// ----------
    /// ids : int64 (k,)
    ///
    /// Returns
    /// -------
    /// int64 (k,)
    ///     New array.
    ///
    /// Raises
    /// ------
    /// UnknownAgentError, ArrayTypeError, ArrayShapeError
    fn clusters<'py>(&self, ids: &Bound<'py, PyAny>) -> PyResult<Ids<'py>> {
        let py = ids.py();
        let ids = self.ids(ids)?;
        let labels: Vec<_> = self.call(
            py,
            ids.len(),
            |inner| any!(inner, scheduler => ids.iter().map(|&id| scheduler.cluster(id)).collect()),
        )?;
        Ok(arrays::from_ids(py, &labels))
    }

    /// Re-derive every stored fact and check every invariant. Slow; for tests.
    ///
    /// Raises
    /// ------
    /// InvariantError
    ///     A bug of Headway.
    fn validate(&self, py: Python<'_>) -> PyResult<()> {
        let found =
            self.inner.detached(py, |inner| any!(inner, scheduler => scheduler.validate()))?;
        found.map_err(|error| from_core(py, &error))
    }

    /// The next step of each agent (while running: the one it executes); int64 (n,), new array.
    ///
    /// Of agents that left, the step they would have executed next.
    #[getter]
    fn clocks<'py>(&self, py: Python<'py>) -> PyResult<Ids<'py>> {
        let clocks: Vec<u32> = self.call(py, 1, |inner| {
            any!(inner, scheduler => {
                (0..scheduler.agents_joined()).map(|i| scheduler.clock(AgentId(i as u32))).collect()
            })
        })?;
        Ok(arrays::from_steps(py, clocks.into_iter()))
    }

    /// Where each agent stood at the start of its current step: int64 or float64 (n, 2), new array.
    ///
    /// On a graph int64 (n,), the nodes.
    #[getter]
    fn positions<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let positions = self.call(py, 1, |inner| match inner {
            Inner::Grid(scheduler) => all_positions(scheduler).map(Positions::Grid),
            Inner::Plane(scheduler) => all_positions(scheduler).map(Positions::Plane),
            Inner::Graph(scheduler) => all_positions(scheduler).map(Positions::Graph),
        })?;
        arrays::from_positions(py, positions)
    }

    /// The smallest clock of the agents present: no step before it can change any more.
    #[getter]
    fn frontier(&self, py: Python<'_>) -> PyResult<u32> {
        self.inner.with(py, |inner| any!(inner, scheduler => scheduler.frontier()))
    }

    /// The metric, as given; "hops" on a graph.
    #[getter]
    fn metric(&self) -> &'static str {
        self.metric
    }

    /// The rule, as given.
    #[getter]
    fn rule(&self) -> &'static str {
        self.rule
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.joined(py)? as usize)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let (agents, frontier) = self.inner.with(
            py,
            |inner| any!(inner, scheduler => (scheduler.agents_joined(), scheduler.frontier())),
        )?;
        let Self { rule, metric, .. } = self;
        Ok(format!(
            "<Scheduler of {agents} agents, rule {rule}, metric {metric}, frontier {frontier}>"
        ))
    }
}

impl PyScheduler {
    fn joined(&self, py: Python<'_>) -> PyResult<u32> {
        self.inner.with(py, |inner| any!(inner, scheduler => scheduler.agents_joined() as u32))
    }

    /// Asks or tells the core about a batch.
    fn call<T: Send>(
        &self,
        py: Python<'_>,
        size: usize,
        work: impl FnOnce(&mut Inner) -> Result<T, Error> + Send,
    ) -> PyResult<T> {
        self.inner.with_batch(py, size, work)?.map_err(|error| from_core(py, &error))
    }

    /// Where somebody about to join is to stand.
    fn place(&self, given: &Bound<'_, PyAny>) -> PyResult<Place> {
        let next = || self.joined(given.py()).ok().map(AgentId);
        self.kind.place(given, next)
    }

    fn ids(&self, given: &Bound<'_, PyAny>) -> PyResult<Vec<AgentId>> {
        arrays::ids(given, || self.joined(given.py()))
    }

    fn ask<T: Send>(
        &self,
        agent: &Bound<'_, PyAny>,
        call: impl FnOnce(&Inner, AgentId) -> Result<T, Error> + Send,
    ) -> PyResult<T> {
        let py = agent.py();
        let id = arrays::agent(agent, || self.joined(py))?;
        self.call(py, 1, |inner| call(inner, id))
    }

    fn newcomer(
        &self,
        py: Python<'_>,
        method: &str,
        sight: Option<&Bound<'_, PyAny>>,
        speed: Option<&Bound<'_, PyAny>>,
        reach: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Footprint> {
        let number = |given: Option<&Bound<'_, PyAny>>, what: &str| {
            given.map(|given| arrays::number(given, what, "OptionError")).transpose()
        };
        let sight = number(sight, "sight")?;
        let speed = number(speed, "speed")?;
        let reach = number(reach, "reach")?;
        let common = self.common;
        let sight = sight.or(common.map(|footprint| footprint.sight));
        let reach = reach.or(speed).or(common.map(|footprint| footprint.reach));
        let speed = speed.or(common.map(|footprint| footprint.speed));
        match (sight, reach, speed) {
            (Some(sight), Some(reach), Some(speed)) => Ok(Footprint { sight, reach, speed }),
            _ => Err(plain(
                py,
                "OptionError",
                format!(
                    "{method}() needs sight= and speed=: there is no footprint that all first \
                     agents share"
                ),
            )),
        }
    }
}

fn join<P: Copy>(
    positions: &[P],
    footprints: &[Footprint],
    world: impl Fn(usize) -> u32,
) -> Vec<NewAgent<P>> {
    positions
        .iter()
        .zip(footprints)
        .enumerate()
        .map(|(i, (&position, &footprint))| NewAgent { position, footprint, world: world(i) })
        .collect()
}

fn all_positions<S: Space>(scheduler: &Scheduler<S>) -> Result<Vec<S::Position>, Error> {
    (0..scheduler.agents_joined()).map(|i| scheduler.position(AgentId(i as u32))).collect()
}
