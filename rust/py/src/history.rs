//! `headway._core.PositionHistory`: who stood where at the start of which step.

use headway_core::{AgentId, Error, Graph, Grid, History, Plane, Space, Step};
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::arrays::{self, Positions};
use crate::error::{from_core, plain, raise, shown};
use crate::options::Name;
use crate::places::{Kind, OTHER_KIND, Place, Start};
use crate::shared::Shared;

enum Inner {
    Grid(History<Grid>),
    Plane(History<Plane>),
    Graph(History<Graph>),
}

/// The same expression for any kind of position.
macro_rules! any {
    ($inner:expr, $history:ident => $body:expr) => {
        match $inner {
            Inner::Grid($history) => $body,
            Inner::Plane($history) => $body,
            Inner::Graph($history) => $body,
        }
    };
}

/// Where everybody stood at the start of every step, in a world whose agents have different clocks.
///
/// An agent at step t must see the others where they stood at the start of step t, also those who
/// have gone on since. Tell the history every move; ask it who was near; and tell it which steps
/// nobody will ask about any more (those before the scheduler's `frontier`), so that it forgets
/// them. An agent that stands still costs nothing.
///
/// Parameters
/// ----------
/// positions : array (n, 2)
///     Where agents 0..n-1 stand from step 0 on. Whole numbers (any integer dtype) are tiles of a
///     grid, within +-2**30; floats are coordinates on a plane, within +-1e8. On a graph of shape
///     (n,): the node of each agent. Copied.
/// metric : {"chebyshev", "manhattan", "euclidean"}
///     The distance radii are meant in.
/// wrap : (number, number), optional
///     Size of the world where its borders are joined; positions are then within [0, size).
/// radius : float, optional
///     That of a typical question, in the unit of the positions; it decides how fast answers are,
///     never what they are.
/// graph : Graph, optional
///     The graph whose nodes the agents stand on; distances are then hops, without metric and wrap.
///
/// Raises
/// ------
/// ArrayTypeError, ArrayShapeError
///     Wrong dtype or shape.
/// OptionError
///     Unknown metric, unusable `wrap`, `radius` or `graph`.
/// PositionError, CapacityError
///     A value that cannot be used; the message names the agent and the limit.
///
/// Notes
/// -----
/// Safe to use from several threads, also on free-threaded Python: calls take turns, each is
/// carried out or refused as a whole, and batches of 1024 moves or more are worked on without
/// the interpreter lock. Arrays are copied at the beginning of a call: of one that another thread
/// writes to meanwhile it may see some old values and some new. Nobody may change the shape, dtype
/// or size of an array in place meanwhile; numpy does not allow that either.
#[pyclass(frozen, subclass, name = "PositionHistory", module = "headway._core")]
pub struct PyPositionHistory {
    inner: Shared<Inner>,
    kind: Kind,
}

#[pymethods]
impl PyPositionHistory {
    #[new]
    #[pyo3(signature = (positions, *, metric="chebyshev".into(), wrap=None, radius=None,
                        graph=None),
           text_signature = "(positions, *, metric='chebyshev', wrap=None, radius=1.0, \
                             graph=None)")]
    fn new(
        positions: &Bound<'_, PyAny>,
        metric: Name<'_>,
        wrap: Option<&Bound<'_, PyAny>>,
        radius: Option<&Bound<'_, PyAny>>,
        graph: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let py = positions.py();
        let radius = radius.map_or(Ok(1.0), length)?;
        let (_, start) = Start::read(positions, &metric, wrap, graph)?;
        let kind = start.kind();
        let inner = match start {
            Start::Grid(grid, tiles) => {
                py.detach(|| History::new(grid, &tiles, radius)).map(Inner::Grid)
            }
            Start::Plane(plane, places) => {
                py.detach(|| History::new(plane, &places, radius)).map(Inner::Plane)
            }
            Start::Graph(graph, nodes) => {
                py.detach(|| History::new(graph, &nodes, radius)).map(Inner::Graph)
            }
        };
        Ok(Self { inner: Shared::new(inner.map_err(|error| from_core(py, &error))?), kind })
    }

    /// Tell that somebody new is there.
    ///
    /// Parameters
    /// ----------
    /// position : (x, y), or a node on a graph
    ///     Where it stands.
    /// step : int
    ///     The first step at whose start it is there.
    ///
    /// Returns
    /// -------
    /// int
    ///     Its id: the number of agents before it.
    ///
    /// Raises
    /// ------
    /// StepError
    ///     The step has been forgotten; nothing has changed then.
    /// PositionError, CapacityError, ArrayTypeError, ArrayShapeError
    ///     Likewise.
    fn add(&self, position: &Bound<'_, PyAny>, step: &Bound<'_, PyAny>) -> PyResult<u32> {
        let py = position.py();
        let step = one_step(step)?;
        let next = || self.joined(py).ok().map(AgentId);
        let place = self.kind.place(position, next)?;
        let id = self.call(py, 1, |inner| match (inner, place) {
            (Inner::Grid(history), Place::Tile(tile)) => history.add(tile, step),
            (Inner::Plane(history), Place::Coordinates(place)) => history.add(place, step),
            (Inner::Graph(history), Place::Node(node)) => history.add(node, step),
            _ => unreachable!("{OTHER_KIND}"),
        })?;
        Ok(id.0)
    }

    /// Tell where agents stand from some step on.
    ///
    /// Parameters
    /// ----------
    /// ids : int64 (k,)
    ///     Who, each once. Any integers are taken, in an array or a list (copied).
    /// steps : int64 (k,)
    ///     The first step at whose start each of them stands there: the one after the step in which
    ///     it moved. Later than the step at which it came where it stood before.
    /// positions : array (k, 2)
    ///     Where; whole numbers on a grid, on a graph nodes, of shape (k,). Who stands there already costs nothing. Copied.
    ///
    /// Raises
    /// ------
    /// StepError
    ///     A step has been forgotten, or is not after the agent's latest move; nothing has changed
    ///     then.
    /// PositionError, DuplicateAgentError, UnknownAgentError, AgentLeftError, CapacityError,
    /// ArrayTypeError, ArrayShapeError
    ///     Likewise.
    fn r#move(
        &self,
        ids: &Bound<'_, PyAny>,
        steps: &Bound<'_, PyAny>,
        positions: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let py = ids.py();
        let (ids, steps) = self.ends("move", ids, steps)?;
        let whose = |row: usize| {
            let id = ids.get(row).copied().unwrap_or(AgentId(u32::MAX));
            (id, steps.get(row).and_then(|step| step.checked_sub(1)))
        };
        let positions = self.kind.positions(positions, whose)?;
        let (count, given) = (ids.len(), positions.len());
        if given != count {
            let message = format!("move() got {count} ids and {given} positions");
            return Err(plain(py, "ArrayShapeError", message));
        }
        self.call(py, count, |inner| match (inner, &positions) {
            (Inner::Grid(history), Positions::Grid(tiles)) => history.advance(&ids, &steps, tiles),
            (Inner::Plane(history), Positions::Plane(places)) => {
                history.advance(&ids, &steps, places)
            }
            (Inner::Graph(history), Positions::Graph(nodes)) => {
                history.advance(&ids, &steps, nodes)
            }
            _ => unreachable!("{OTHER_KIND}"),
        })
    }

    /// Tell that agents are gone from some step on.
    ///
    /// Parameters
    /// ----------
    /// ids : int64 (k,)
    ///     Who, each once. Any integers are taken, in an array or a list (copied).
    /// steps : int64 (k,)
    ///     The first step at whose start each of them is not there. Later than the step at which
    ///     it came where it stands.
    ///
    /// Raises
    /// ------
    /// StepError
    ///     A step has been forgotten, or is not after the agent's latest move; nothing has changed
    ///     then.
    /// DuplicateAgentError, UnknownAgentError, AgentLeftError, ArrayTypeError, ArrayShapeError
    ///     Likewise.
    fn remove(&self, ids: &Bound<'_, PyAny>, steps: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = ids.py();
        let (ids, steps) = self.ends("remove", ids, steps)?;
        let count = ids.len();
        self.call(py, count, |inner| any!(inner, history => history.remove(&ids, &steps)))
    }

    /// Return the others who stood near an agent at the start of a step.
    ///
    /// Parameters
    /// ----------
    /// agent : int
    ///     Around whom.
    /// step : int
    ///     When.
    /// radius : float
    ///     At most this far away, in the metric of the history.
    ///
    /// Returns
    /// -------
    /// list of int
    ///     Their ids, ascending.
    ///
    /// Raises
    /// ------
    /// StepError
    ///     The step has been forgotten, or the agent was not there yet.
    /// AgentLeftError
    ///     It was gone by then.
    /// UnknownAgentError, OptionError
    ///     No such agent; not a radius.
    fn neighbours<'py>(
        &self,
        agent: &Bound<'py, PyAny>,
        step: &Bound<'py, PyAny>,
        radius: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyList>> {
        let py = agent.py();
        let (step, radius) = (one_step(step)?, length(radius)?);
        let agent = self.one_agent(agent)?;
        let mut found = Vec::new();
        self.call(
            py,
            1,
            |inner| any!(inner, history => history.neighbours(agent, step, radius, &mut found)),
        )?;
        PyList::new(py, found.iter().map(|id| id.0))
    }

    /// Return everybody who stood near a place at the start of a step.
    ///
    /// Parameters
    /// ----------
    /// position : (x, y), or a node on a graph
    ///     Around where.
    /// step : int
    ///     When.
    /// radius : float
    ///     At most this far away, in the metric of the history.
    ///
    /// Returns
    /// -------
    /// list of int
    ///     Their ids, ascending.
    ///
    /// Raises
    /// ------
    /// StepError
    ///     The step has been forgotten.
    /// PositionError, OptionError, ArrayTypeError, ArrayShapeError
    ///     Not a position; not a radius.
    fn near<'py>(
        &self,
        position: &Bound<'py, PyAny>,
        step: &Bound<'py, PyAny>,
        radius: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyList>> {
        let py = position.py();
        let (step, radius) = (one_step(step)?, length(radius)?);
        let mut found = Vec::new();
        let place = self.kind.place(position, || None)?;
        self.call(py, 1, |inner| match (inner, place) {
            (Inner::Grid(history), Place::Tile(tile)) => {
                history.near(tile, step, radius, &mut found)
            }
            (Inner::Plane(history), Place::Coordinates(place)) => {
                history.near(place, step, radius, &mut found)
            }
            (Inner::Graph(history), Place::Node(node)) => {
                history.near(node, step, radius, &mut found)
            }
            _ => unreachable!("{OTHER_KIND}"),
        })?;
        PyList::new(py, found.iter().map(|id| id.0))
    }

    /// Return where an agent stood at the start of a step: (x, y) of ints or floats as at first.
    ///
    /// On a graph an int, the node.
    ///
    /// Raises
    /// ------
    /// StepError
    ///     The step has been forgotten, or the agent was not there yet.
    /// AgentLeftError
    ///     It was gone by then.
    /// UnknownAgentError
    fn position<'py>(
        &self,
        agent: &Bound<'py, PyAny>,
        step: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = agent.py();
        let step = one_step(step)?;
        let agent = self.one_agent(agent)?;
        let place = self.call(py, 1, |inner| match inner {
            Inner::Grid(history) => history.position(agent, step).map(Place::Tile),
            Inner::Plane(history) => history.position(agent, step).map(Place::Coordinates),
            Inner::Graph(history) => history.position(agent, step).map(Place::Node),
        })?;
        place.into_python(py)
    }

    /// Return where agents stood at the start of steps.
    ///
    /// Parameters
    /// ----------
    /// ids : int64 (k,)
    ///     Who; the same agent may stand there more than once.
    /// steps : int64 (k,)
    ///     When, of each.
    ///
    /// Returns
    /// -------
    /// int64 or float64 (k, 2)
    ///     New array; on a graph int64 (k,), the nodes.
    ///
    /// Raises
    /// ------
    /// StepError
    ///     A step has been forgotten, or an agent was not there yet.
    /// AgentLeftError
    ///     One was gone by then.
    /// UnknownAgentError, ArrayTypeError, ArrayShapeError
    fn positions<'py>(
        &self,
        ids: &Bound<'py, PyAny>,
        steps: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = ids.py();
        let (ids, steps) = self.ends("positions", ids, steps)?;
        let found = self.call(py, ids.len(), |inner| match inner {
            Inner::Grid(history) => places(history, &ids, &steps).map(Positions::Grid),
            Inner::Plane(history) => places(history, &ids, &steps).map(Positions::Plane),
            Inner::Graph(history) => places(history, &ids, &steps).map(Positions::Graph),
        })?;
        arrays::from_positions(py, found)
    }

    /// Promise that nobody will ask about steps before this one; what only they could see is freed.
    ///
    /// Costs as much as it frees. A step before one forgotten earlier changes nothing.
    ///
    /// Raises
    /// ------
    /// StepError
    ///     Not a step.
    fn forget(&self, before: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = before.py();
        let before = one_step(before)?;
        self.inner.with(py, |inner| any!(inner, history => history.forget(before)))
    }

    /// Re-derive every stored fact. Slow; for tests.
    ///
    /// Raises
    /// ------
    /// InvariantError
    ///     A bug of Headway.
    fn validate(&self, py: Python<'_>) -> PyResult<()> {
        let found = self.inner.detached(py, |inner| any!(inner, history => history.validate()))?;
        found.map_err(|error| from_core(py, &error))
    }

    /// Number of versions kept: one for each place at which somebody stood while it may be asked.
    #[getter]
    fn versions(&self, py: Python<'_>) -> PyResult<usize> {
        self.inner.with(py, |inner| any!(inner, history => history.versions()))
    }

    /// The oldest step that may be asked about.
    #[getter]
    fn oldest(&self, py: Python<'_>) -> PyResult<u32> {
        self.inner.with(py, |inner| any!(inner, history => history.oldest()))
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.joined(py)? as usize)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        self.inner.with(py, |inner| {
            any!(inner, history => format!(
                "<PositionHistory of {} agents, {} versions from step {} on>",
                history.agents_joined(),
                history.versions(),
                history.oldest()
            ))
        })
    }
}

impl PyPositionHistory {
    fn joined(&self, py: Python<'_>) -> PyResult<u32> {
        self.inner.with(py, |inner| any!(inner, history => history.agents_joined() as u32))
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

    fn one_agent(&self, given: &Bound<'_, PyAny>) -> PyResult<AgentId> {
        arrays::agent(given, || self.joined(given.py()))
    }

    /// Agents and a step for each.
    fn ends(
        &self,
        method: &str,
        ids: &Bound<'_, PyAny>,
        steps: &Bound<'_, PyAny>,
    ) -> PyResult<(Vec<AgentId>, Vec<Step>)> {
        let py = ids.py();
        let ids = arrays::ids(ids, || self.joined(py))?;
        let steps = arrays::integers(steps, "steps", |step| {
            let fits = Step::try_from(step).ok().filter(|step| *step < Step::MAX);
            fits.ok_or_else(|| no_step(py, &step.to_string()))
        })?;
        if ids.len() != steps.len() {
            let message = format!("{method}() got {} ids and {} steps", ids.len(), steps.len());
            return Err(plain(py, "ArrayShapeError", message));
        }
        Ok((ids, steps))
    }
}

fn no_step(py: Python<'_>, given: &str) -> PyErr {
    let message = format!("a step is a whole number from 0 to {}, got {given}", Step::MAX - 1);
    let facts = pyo3::types::PyDict::new(py);
    let filled = ["agent", "step", "limit"].map(|fact| facts.set_item(fact, py.None()));
    match filled.into_iter().find_map(Result::err) {
        Some(error) => error,
        None => raise(py, "StepError", message, &facts),
    }
}

fn one_step(given: &Bound<'_, PyAny>) -> PyResult<Step> {
    let step = given.extract::<Step>().ok().filter(|step| *step < Step::MAX);
    step.ok_or_else(|| no_step(given.py(), &shown(given)))
}

/// A radius.
fn length(given: &Bound<'_, PyAny>) -> PyResult<f64> {
    given.extract::<f64>().ok().filter(|radius| *radius >= 0.0).ok_or_else(|| {
        let message = format!("radius must be a number, at least 0, got {}", shown(given));
        plain(given.py(), "OptionError", message)
    })
}

fn places<S: Space>(
    history: &History<S>,
    ids: &[AgentId],
    steps: &[Step],
) -> Result<Vec<S::Position>, Error> {
    ids.iter().zip(steps).map(|(&id, &step)| history.position(id, step)).collect()
}
