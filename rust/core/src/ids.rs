//! Names of agents and steps.

/// One agent: a dense index, given in the order of joining and never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgentId(pub u32);

impl AgentId {
    /// Worlds are numbered densely; beyond this a number is a mistake.
    pub(crate) const WORLDS_MAX: World = (1 << 24) - 1;

    /// The same number as an index into per-agent arrays.
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }
}

impl core::fmt::Display for AgentId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.fmt(f)
    }
}

/// One tick of simulated time. An agent's *clock* is the next step it will execute.
pub type Step = u32;

/// A separate map. Agents of different worlds are infinitely far apart.
pub type World = u32;
