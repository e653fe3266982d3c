//! What can be wrong with a call; one variant, one sentence.

use alloc::string::String;
use core::fmt;

use crate::ids::{AgentId, Step};
use crate::metric::PositionFault;

/// Why a call was refused. A refused call has changed nothing.
#[derive(Clone, Debug, PartialEq)]
pub enum Error {
    /// No agent with this id has ever joined.
    UnknownAgent {
        /// The id as given.
        agent: i128,
        /// Number of agents that ever joined.
        agents: u32,
    },
    /// The agent has left.
    AgentLeft {
        /// Who.
        agent: AgentId,
        /// Its clock when it left.
        clock: Step,
    },
    /// An agent stands twice in one batch.
    Duplicate {
        /// Who.
        agent: AgentId,
        /// Its clock.
        clock: Step,
    },
    /// Asked to start an agent that waits for another.
    Blocked {
        /// Who.
        agent: AgentId,
        /// Its clock.
        clock: Step,
        /// The witness it waits for, if it is itself blocked rather than a member of its cluster.
        witness: Option<(AgentId, Step)>,
    },
    /// Asked to start, or to remove, an agent that is executing a step.
    Running {
        /// Who.
        agent: AgentId,
        /// The step it is executing.
        clock: Step,
    },
    /// Asked to finish a step of an agent that is executing none.
    NotRunning {
        /// Who.
        agent: AgentId,
        /// Its clock.
        clock: Step,
    },
    /// A batch holds only a part of a cluster.
    PartialCluster {
        /// A member that is in the batch.
        agent: AgentId,
        /// Number of members in the batch.
        given: u32,
        /// Number of members of the cluster.
        size: u32,
    },
    /// A move longer than the agent's speed.
    OverSpeed {
        /// Who.
        agent: AgentId,
        /// In which step.
        clock: Step,
        /// Distance from the old to the new position.
        distance: f64,
        /// The agent's speed.
        speed: f64,
    },
    /// A position that cannot be used.
    BadPosition {
        /// Who; for one about to join, the id it would get.
        agent: AgentId,
        /// The step it ends there; none for one about to join.
        clock: Option<Step>,
        /// The position as given; of a node the number, and 0.
        position: [f64; 2],
        /// What is wrong.
        fault: PositionFault,
    },
    /// A sight, reach or speed that cannot be used.
    BadFootprint {
        /// Who; for one about to join, the id it would get.
        agent: AgentId,
        /// Which of the three.
        what: &'static str,
        /// Its value.
        value: f64,
        /// The demand it fails.
        demand: &'static str,
    },
    /// Somebody may already have read, or been told it may read, what the newcomer could affect.
    JoinsTooEarly {
        /// The id it would get.
        agent: AgentId,
        /// The step asked for.
        step: Step,
        /// The earliest step at which it may join there.
        earliest: Step,
    },
    /// In a world changed in place, somebody behind would see the newcomer too early.
    JoinsAhead {
        /// The id it would get.
        agent: AgentId,
        /// The step asked for, or the earliest otherwise possible.
        step: Step,
        /// Who is behind.
        behind: AgentId,
        /// That one's clock.
        clock: Step,
    },
    /// Asked to spawn where the rule has no room for it.
    SpawnInPlace {
        /// Who was to bring somebody about.
        parent: AgentId,
        /// The step it executes.
        clock: Step,
    },
    /// Somebody brought about is faster than who brings it about.
    SpawnTooFast {
        /// Who was to bring it about.
        parent: AgentId,
        /// The step it executes.
        clock: Step,
        /// The newcomer's speed.
        speed: f64,
        /// The largest possible.
        limit: f64,
    },
    /// Somebody brought about too far away for what it can reach.
    SpawnTooFar {
        /// Who was to bring it about.
        parent: AgentId,
        /// The step it executes.
        clock: Step,
        /// From where the parent stood at the start of the step.
        distance: f64,
        /// The largest possible.
        limit: f64,
    },
    /// A place to look around that cannot be one.
    BadPlace {
        /// The place as given.
        position: [f64; 2],
        /// What is wrong.
        fault: PositionFault,
    },
    /// Asked about, or told of, a step that a history has forgotten.
    Forgotten {
        /// The step.
        step: Step,
        /// The oldest step that may be asked about.
        oldest: Step,
    },
    /// Asked where somebody stood before it came.
    NotYetThere {
        /// Who.
        agent: AgentId,
        /// The step.
        step: Step,
        /// The first step it was there.
        first: Step,
    },
    /// Asked where somebody stood, or told that it moved, after it was gone.
    Gone {
        /// Who.
        agent: AgentId,
        /// The step.
        step: Step,
        /// The first step it was not there.
        gone: Step,
    },
    /// Told that somebody moved or went away not after it had come where it stood.
    NotAfter {
        /// Who.
        agent: AgentId,
        /// The step.
        step: Step,
        /// Since when it stands where it stands.
        latest: Step,
    },
    /// A number of agents, steps or worlds beyond what fits.
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many fit.
        limit: u32,
    },
    /// A bug of this crate: a re-derived fact disagrees with the stored one.
    Invariant {
        /// The disagreement.
        what: String,
    },
}

#[allow(clippy::too_many_lines, reason = "one arm a sentence")]
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownAgent { agent, agents } => {
                write!(f, "no agent {agent}: {agents} agents have joined, numbered from 0")
            }
            Self::AgentLeft { agent, clock } => {
                write!(f, "agent {agent} has left; it had finished the steps before {clock}")
            }
            Self::Duplicate { agent, clock } => {
                write!(f, "agent {agent}, which is at step {clock}, stands twice in one batch")
            }
            Self::Blocked { agent, clock, witness: Some((witness, until)) } => write!(
                f,
                "agent {agent} may not start step {clock} yet: it waits for agent {witness}, at \
                 least until that one has reached step {until}"
            ),
            Self::Blocked { agent, clock, witness: None } => write!(
                f,
                "agent {agent} may not start step {clock} yet: a member of its cluster is blocked"
            ),
            Self::Running { agent, clock } => {
                write!(f, "agent {agent} is executing step {clock}; finish that step first")
            }
            Self::NotRunning { agent, clock } => write!(
                f,
                "agent {agent} is not executing a step (its next is {clock}); start it before \
                 finishing it, and finish each step once"
            ),
            Self::PartialCluster { agent, given, size } => write!(
                f,
                "agent {agent} belongs to a cluster of {size} agents, of which the batch holds \
                 {given}; a cluster starts and finishes its step in one batch"
            ),
            Self::OverSpeed { agent, clock, distance, speed } => write!(
                f,
                "agent {agent} moved {distance} in step {clock}, its speed is {speed}; declare a \
                 larger speed, or let it leave and join again at the new place"
            ),
            Self::BadPosition { agent, clock, position, fault } => {
                write!(f, "agent {agent} cannot stand {}", Place(position, fault))?;
                if let Some(clock) = clock {
                    write!(f, " after step {clock}")?;
                }
                write!(f, ": {fault}")
            }
            Self::SpawnInPlace { parent, clock } => write!(
                f,
                "agent {parent} cannot bring somebody about in step {clock} under the \
                 compatibility rule, whose world is changed in place; let the newcomer join \
                 by itself, or use the conservative rule with a versioned world"
            ),
            Self::SpawnTooFast { parent, clock, speed, limit } => write!(
                f,
                "agent {parent} cannot bring about somebody of speed {speed} in step {clock}: it \
                 may be at most as fast as agent {parent}, whose speed is {limit}; otherwise let \
                 it join by itself"
            ),
            Self::SpawnTooFar { parent, clock, distance, limit } => write!(
                f,
                "agent {parent} cannot bring somebody about {distance} away in step {clock}: at \
                 most {limit}, which is the reach of agent {parent} less what the newcomer's reach \
                 has over the speed of agent {parent}; otherwise let it join by itself"
            ),
            Self::BadPlace { position, fault } => {
                write!(f, "nobody can stand {}: {fault}", Place(position, fault))
            }
            Self::BadFootprint { agent, what, value, demand } => {
                write!(f, "the {what} of agent {agent} is {value}, it must be {demand}")
            }
            Self::JoinsTooEarly { agent, step, earliest } => write!(
                f,
                "agent {agent} cannot join at step {step}: others may already have read, or been \
                 told they may read, what it could affect; the earliest step it can join there is \
                 {earliest}"
            ),
            Self::JoinsAhead { agent, step, behind, clock } => write!(
                f,
                "agent {agent} cannot join at step {step} yet: agent {behind}, which is at step \
                 {clock}, would see it too early; add it after that one has finished step {}, \
                 before it starts the next",
                step.saturating_sub(1)
            ),
            Self::Forgotten { step, oldest } => write!(
                f,
                "step {step} has been forgotten: the oldest step of which positions are kept is \
                 {oldest}; forget only what nobody will ask for"
            ),
            Self::NotYetThere { agent, step, first } => {
                write!(
                    f,
                    "agent {agent} is not there yet at step {step}: it joined at step {first}"
                )
            }
            Self::Gone { agent, step, gone } => {
                write!(f, "agent {agent} is not there at step {step}: it was gone from {gone} on")
            }
            Self::NotAfter { agent, step, latest } => write!(
                f,
                "agent {agent} cannot move or go away at step {step}: it stands where it stands \
                 since step {latest}; give each agent its moves in order, one for each step"
            ),
            Self::TooMany { what, limit } => write!(f, "too many {what}: at most {limit} fit"),
            Self::Invariant { what } => write!(f, "{what}; this is a bug of Headway"),
        }
    }
}

/// A position that cannot be used, in words.
struct Place<'a>(&'a [f64; 2], &'a PositionFault);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [x, y] = self.0;
        match self.1 {
            PositionFault::NoNode(_) => write!(f, "on node {x}"),
            _ => write!(f, "at ({x}, {y})"),
        }
    }
}

impl core::error::Error for Error {}
