//! One table: which Python class each refusal of the core becomes. No wildcard, so that a new
//! variant does not compile until it has a class.

use headway_core::{AgentId, Error, PositionFault};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{IntoPyDict, PyDict, PyModule};

static ERRORS: PyOnceLock<Py<PyModule>> = PyOnceLock::new();

/// An exception of `headway.errors` with the facts of its message as attributes.
pub fn raise(py: Python<'_>, class: &str, message: String, facts: &Bound<'_, PyDict>) -> PyErr {
    let build = || -> PyResult<PyErr> {
        let module = ERRORS
            .get_or_try_init(py, || PyModule::import(py, "headway.errors").map(Bound::unbind))?;
        let exception = module.bind(py).getattr(class)?.call((message,), Some(facts))?;
        Ok(PyErr::from_value(exception))
    };
    build().unwrap_or_else(|error| error)
}

/// An exception without facts.
pub fn plain(py: Python<'_>, class: &str, message: String) -> PyErr {
    raise(py, class, message, &PyDict::new(py))
}

/// What was given, for a message.
pub fn shown(given: &Bound<'_, PyAny>) -> String {
    given.repr().map_or_else(|_| "something else".into(), |repr| repr.to_string())
}

/// Refuses to go on after a panic, which may have left the state changed by half.
pub fn poisoned(py: Python<'_>) -> PyErr {
    let message = "an earlier call broke off in the middle of a change, so this object cannot be \
                   used any more; that was a bug of Headway";
    plain(py, "InvariantError", message.into())
}

/// Translates a refusal of the core.
pub fn from_core(py: Python<'_>, error: &Error) -> PyErr {
    let message = error.to_string();
    let id = |agent: &AgentId| i64::from(agent.0);
    let built = match error {
        Error::UnknownAgent { agent, agents } => {
            [("agent", *agent), ("agents", i128::from(*agents))]
                .into_py_dict(py)
                .map(|facts| ("UnknownAgentError", facts))
        }
        Error::AgentLeft { agent, clock } => {
            agent_and_clock(py, *agent, *clock).map(|facts| ("AgentLeftError", facts))
        }
        Error::Duplicate { agent, clock } => {
            agent_and_clock(py, *agent, *clock).map(|facts| ("DuplicateAgentError", facts))
        }
        Error::Blocked { agent, clock, witness } => {
            agent_and_clock(py, *agent, *clock).and_then(|facts| {
                facts.set_item("witness", witness.map(|(witness, _)| witness.0))?;
                facts.set_item("until", witness.map(|(_, until)| until))?;
                Ok(("BlockedError", facts))
            })
        }
        Error::Running { agent, clock } => {
            agent_and_clock(py, *agent, *clock).map(|facts| ("RunningError", facts))
        }
        Error::NotRunning { agent, clock } => {
            agent_and_clock(py, *agent, *clock).map(|facts| ("NotRunningError", facts))
        }
        Error::PartialCluster { agent, given, size } => {
            [("agent", agent.0), ("given", *given), ("size", *size)]
                .into_py_dict(py)
                .map(|facts| ("PartialClusterError", facts))
        }
        Error::OverSpeed { agent, clock, distance, speed } => agent_and_clock(py, *agent, *clock)
            .and_then(|facts| {
                facts.set_item("distance", distance)?;
                facts.set_item("speed", speed)?;
                Ok(("OverSpeedError", facts))
            }),
        Error::BadPosition { agent, clock, position, fault } => {
            [("agent", id(agent))].into_py_dict(py).and_then(|facts| {
                facts.set_item("clock", clock)?;
                set_position(&facts, *position, *fault)?;
                Ok(("PositionError", facts))
            })
        }
        Error::SpawnInPlace { parent, clock } => spawn_error(py, *parent, *clock, "rule", None),
        Error::SpawnTooFast { parent, clock, speed, limit } => {
            spawn_error(py, *parent, *clock, "speed", Some((*speed, *limit)))
        }
        Error::SpawnTooFar { parent, clock, distance, limit } => {
            spawn_error(py, *parent, *clock, "distance", Some((*distance, *limit)))
        }
        Error::BadPlace { position, fault } => {
            let facts = PyDict::new(py);
            ["agent", "clock"]
                .into_iter()
                .try_for_each(|fact| facts.set_item(fact, py.None()))
                .and_then(|()| set_position(&facts, *position, *fault))
                .map(|()| ("PositionError", facts))
        }
        Error::Forgotten { step, oldest } => step_error(py, None, *step, *oldest),
        Error::NotYetThere { agent, step, first } => step_error(py, Some(*agent), *step, *first),
        Error::NotAfter { agent, step, latest } => step_error(py, Some(*agent), *step, *latest),
        Error::Gone { agent, step: _, gone } => {
            agent_and_clock(py, *agent, *gone).map(|facts| ("AgentLeftError", facts))
        }
        Error::BadFootprint { agent, what, value, demand: _ } => {
            [("agent", id(agent))].into_py_dict(py).and_then(|facts| {
                facts.set_item("what", what)?;
                facts.set_item("value", value)?;
                Ok(("FootprintError", facts))
            })
        }
        Error::JoinsTooEarly { agent, step, earliest } => {
            [("agent", agent.0), ("step", *step), ("earliest", *earliest)]
                .into_py_dict(py)
                .map(|facts| ("JoinsTooEarlyError", facts))
        }
        Error::JoinsAhead { agent, step, behind, clock } => {
            [("agent", agent.0), ("step", *step), ("behind", behind.0), ("clock", *clock)]
                .into_py_dict(py)
                .map(|facts| ("JoinsAheadError", facts))
        }
        Error::TooMany { what, limit } => [("limit", *limit)].into_py_dict(py).and_then(|facts| {
            facts.set_item("what", what)?;
            Ok(("CapacityError", facts))
        }),
        Error::Invariant { what: _ } => Ok(("InvariantError", PyDict::new(py))),
    };
    match built {
        Ok((class, facts)) => raise(py, class, message, &facts),
        Err(error) => error,
    }
}

/// Two coordinates, or the number of a node.
fn set_position(facts: &Bound<'_, PyDict>, [x, y]: [f64; 2], fault: PositionFault) -> PyResult<()> {
    match fault {
        PositionFault::NoNode(_) => facts.set_item("position", x),
        _ => facts.set_item("position", (x, y)),
    }
}

fn spawn_error<'py>(
    py: Python<'py>,
    parent: AgentId,
    clock: u32,
    what: &str,
    numbers: Option<(f64, f64)>,
) -> PyResult<(&'static str, Bound<'py, PyDict>)> {
    let facts = agent_and_clock(py, parent, clock)?;
    facts.set_item("what", what)?;
    facts.set_item("value", numbers.map(|(value, _)| value))?;
    facts.set_item("limit", numbers.map(|(_, limit)| limit))?;
    Ok(("SpawnError", facts))
}

fn step_error<'py>(
    py: Python<'py>,
    agent: Option<AgentId>,
    step: u32,
    limit: u32,
) -> PyResult<(&'static str, Bound<'py, PyDict>)> {
    let facts = [("step", step), ("limit", limit)].into_py_dict(py)?;
    facts.set_item("agent", agent.map(|agent| agent.0))?;
    Ok(("StepError", facts))
}

fn agent_and_clock<'py>(
    py: Python<'py>,
    agent: AgentId,
    clock: u32,
) -> PyResult<Bound<'py, PyDict>> {
    [("agent", agent.0), ("clock", clock)].into_py_dict(py)
}
