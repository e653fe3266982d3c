//! The bounded log of what happened to whom, and why: asked for one agent's story when somebody
//! wonders why it waits.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::ids::{AgentId, Step};

/// One thing that happened to an agent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Happening {
    /// It joined.
    Joined,
    /// It was found blocked and waits.
    Waited {
        /// The blocker it waits for.
        witness: AgentId,
        /// The blocker's clock then.
        witness_clock: Step,
        /// Their distance then.
        distance: f32,
        /// The distance it would have had to exceed.
        bound: f32,
        /// The blocker's clock at which it is examined again.
        wake_at: Step,
    },
    /// The witness has come far enough (or left), so it is examined again.
    Released {
        /// The former witness.
        witness: AgentId,
        /// The witness's clock now.
        witness_clock: Step,
    },
    /// Nobody blocks it, but a member of its cluster is blocked.
    Unblocked,
    /// It may start its step, with its cluster.
    Ready {
        /// Number of agents in the cluster, 1 for an agent alone.
        cluster_size: u32,
    },
    /// It started its step.
    Started,
    /// It finished its step.
    Finished,
    /// It left.
    Left,
}

/// An entry of an agent's story.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StoryEntry {
    /// Position in the log of all agents.
    pub number: u64,
    /// Whose.
    pub agent: AgentId,
    /// The agent's clock then (for `Finished`, the step it finished).
    pub clock: Step,
    /// What happened.
    pub happening: Happening,
}

/// The last so many entries of all agents.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    entries: VecDeque<StoryEntry>,
    capacity: usize,
    next_number: u64,
}

impl Log {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { entries: VecDeque::new(), capacity, next_number: 0 }
    }

    pub(crate) fn record(&mut self, agent: AgentId, clock: Step, happening: Happening) {
        if self.capacity == 0 {
            return;
        }
        if self.entries.len() == self.capacity {
            self.entries.pop_front();
        }
        self.entries.push_back(StoryEntry { number: self.next_number, agent, clock, happening });
        self.next_number += 1;
    }

    pub(crate) fn of(&self, agent: AgentId) -> Vec<StoryEntry> {
        self.entries.iter().filter(|entry| entry.agent == agent).copied().collect()
    }
}
