//! Where and when everybody is, searchable by both: what every index offers. Each kind of space
//! has one of its own ([`crate::quadtree`], [`crate::graph`]).
//!
//! The search for a blocker needs both: somebody near matters if one step behind, somebody far
//! only if far behind. So a search goes as far as the *smallest clock* of those yet unseen allows,
//! and copes with a crowd at the frontier as with a lone straggler hundreds of steps behind,
//! without a radius to guess.

use alloc::string::String;
use core::fmt::Debug;
use core::ops::ControlFlow;

use crate::ids::{AgentId, Step, World};
use crate::metric::Space;
use crate::rule::Footprint;

/// No agent, no node.
pub(crate) const NONE: u32 = u32::MAX;

/// Where one agent is.
#[derive(Clone, Copy, Debug)]
pub struct Entry<P> {
    /// Its place.
    pub position: P,
    /// Its clock.
    pub clock: Step,
    /// Its world.
    pub world: World,
    pub(crate) layer: u32,
    /// The list it is on, `NONE` once it has left.
    pub(crate) leaf: u32,
    pub(crate) next: u32,
    pub(crate) previous: u32,
}

impl<P> Entry<P> {
    /// Somebody who is there; for indexes that keep no lists.
    pub const fn new(position: P, clock: Step, world: World) -> Self {
        Self { position, clock, world, layer: 0, leaf: 0, next: NONE, previous: NONE }
    }

    /// Says that the agent has left.
    pub const fn leave(&mut self) {
        self.leaf = NONE;
    }

    /// False once the agent has left.
    pub const fn is_present(&self) -> bool {
        self.leaf != NONE
    }
}

/// The positions and clocks of all agents, searchable by both.
pub trait Index<S: Space>: Clone + Debug {
    /// An empty index for typical searches of these radii.
    fn new(space: S, radii: impl Iterator<Item = f64>) -> Self;

    /// The distances.
    fn space(&self) -> &S;

    /// Number of agents ever inserted.
    fn count(&self) -> usize;

    /// What is known of an agent.
    fn entry(&self, agent: AgentId) -> &Entry<S::Position>;

    /// Adds the next agent; its id is the number of agents before it.
    fn insert(
        &mut self,
        position: S::Position,
        clock: Step,
        world: World,
        footprint: &Footprint,
    ) -> AgentId;

    /// Takes an agent out; its entry keeps the last position and clock.
    fn remove(&mut self, agent: AgentId);

    /// Puts an agent that was taken out back in, at a place and clock of its own.
    fn put_back(&mut self, agent: AgentId, position: S::Position, clock: Step);

    /// Puts an agent at a new place and clock.
    fn advance(&mut self, agent: AgentId, position: S::Position, clock: Step);

    /// Shows agents of `world` that matter to somebody at `position`, each with its bound and its
    /// distance, until told to stop.
    ///
    /// `matters(id, entry)` is the distance within which this agent matters, `None` where it does
    /// not at all. `bound(c, f)` is no smaller for any agent of clock `c` or more and a footprint
    /// within `f`; it must not grow with `c`.
    fn search(
        &self,
        world: World,
        position: S::Position,
        bound: impl Fn(Step, &Footprint) -> Option<f64>,
        matters: impl Fn(AgentId, &Entry<S::Position>) -> Option<f64>,
        visit: impl FnMut(AgentId, f64, f64) -> ControlFlow<()>,
    );

    /// Re-derives every stored fact.
    ///
    /// # Errors
    /// The first disagreement.
    fn validate(&self) -> Result<(), String>;
}
