//! The entries of an agent's story, as Python sees them.

use headway_core::{Happening, StoryEntry};
use pyo3::prelude::*;

/// One thing that happened to an agent; `str()` tells it as a sentence. It never changes.
#[pyclass(frozen, name = "StoryEntry", module = "headway")]
pub struct PyStoryEntry(pub StoryEntry);

#[pymethods]
impl PyStoryEntry {
    /// Position in the log of all agents.
    #[getter]
    fn number(&self) -> u64 {
        self.0.number
    }

    /// The agent's id.
    #[getter]
    fn agent(&self) -> u32 {
        self.0.agent.0
    }

    /// The agent's clock then (of `finished`: the step it finished).
    #[getter]
    fn clock(&self) -> u32 {
        self.0.clock
    }

    /// One of joined, waited, released, unblocked, ready, started, finished, left.
    #[getter]
    fn what(&self) -> &'static str {
        match self.0.happening {
            Happening::Joined => "joined",
            Happening::Waited { .. } => "waited",
            Happening::Released { .. } => "released",
            Happening::Unblocked => "unblocked",
            Happening::Ready { .. } => "ready",
            Happening::Started => "started",
            Happening::Finished => "finished",
            Happening::Left => "left",
        }
    }

    /// Whom it waited for (of `waited` and `released`), else None.
    #[getter]
    fn witness(&self) -> Option<u32> {
        match self.0.happening {
            Happening::Waited { witness, .. } | Happening::Released { witness, .. } => {
                Some(witness.0)
            }
            _ => None,
        }
    }

    /// The witness's clock then, else None.
    #[getter]
    fn witness_clock(&self) -> Option<u32> {
        match self.0.happening {
            Happening::Waited { witness_clock, .. } | Happening::Released { witness_clock, .. } => {
                Some(witness_clock)
            }
            _ => None,
        }
    }

    /// Distance to the witness then (of `waited`), else None.
    #[getter]
    fn distance(&self) -> Option<f32> {
        match self.0.happening {
            Happening::Waited { distance, .. } => Some(distance),
            _ => None,
        }
    }

    /// Distance it would have had to exceed (of `waited`), else None.
    #[getter]
    fn bound(&self) -> Option<f32> {
        match self.0.happening {
            Happening::Waited { bound, .. } => Some(bound),
            _ => None,
        }
    }

    /// Clock of the witness at which it is examined again (of `waited`), else None.
    #[getter]
    fn wake_at(&self) -> Option<u32> {
        match self.0.happening {
            Happening::Waited { wake_at, .. } => Some(wake_at),
            _ => None,
        }
    }

    fn __str__(&self) -> String {
        let StoryEntry { agent, clock, happening, .. } = self.0;
        let what = match happening {
            Happening::Joined => "joined".into(),
            Happening::Waited { witness, witness_clock, distance, bound, wake_at } => format!(
                "waits for agent {witness}, which is at step {witness_clock} and {distance} away \
                 (more than {bound} is needed); looks again when that one reaches step {wake_at}"
            ),
            Happening::Released { witness, witness_clock } => {
                format!("looks again: agent {witness} has reached step {witness_clock} or left")
            }
            Happening::Unblocked => "is free, but a member of its cluster is blocked".into(),
            Happening::Ready { cluster_size: 1 } => "may start".into(),
            Happening::Ready { cluster_size } => {
                format!("may start, together with its cluster of {cluster_size}")
            }
            Happening::Started => "started".into(),
            Happening::Finished => "finished".into(),
            Happening::Left => "left".into(),
        };
        format!("agent {agent}, step {clock}: {what}")
    }

    fn __repr__(&self) -> String {
        format!("<StoryEntry {}: {}>", self.0.number, self.__str__())
    }
}
