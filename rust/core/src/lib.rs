//! Which agents of a simulation may run now.
//!
//! Thousands of agents share a world; each executes *steps* 0, 1, 2, …. In lock-step nobody starts
//! step `t + 1` before everybody has finished step `t`. This crate lets an agent go as soon as
//! nothing that can still happen could reach it, and the result is the one lock-step would have
//! given. It is a state machine: finished work in, ready work out. It has no I/O, no clock, no
//! threads and no randomness: equal calls give equal answers, in equal order.
//!
//! Read it in this order:
//!
//! | module | holds |
//! |---|---|
//! | [`rule`] | **the rule**: who may start while others are behind, and why that is safe |
//! | [`metric`] | positions and distances |
//! | `index` | where and when everybody is, searchable by both: what an index offers |
//! | `quadtree`, `node` | the index of grids and planes |
//! | `graph` | places that are nodes, distances that are hops, and their index |
//! | `waits` | who waits for whom, until when |
//! | [`Scheduler`] | applies the rule to every start, finish, join and leave |
//! | `membership` | joining and leaving |
//! | `cluster` | groups that must advance together (compatibility rule) |
//! | `validate` | re-derives every stored fact |
//! | `describe` | whether two schedulers will give the same answers |
//! | [`History`] | who stood where at the start of which step |
//!
//! Invariants, checked by [`Scheduler::validate`]:
//!
//! 1. An agent that is ready or running is blocked by nobody, and neither is its cluster.
//! 2. An agent that waits is blocked by its witness, and its wake clock lies ahead of the witness.
//! 3. The frontier is the smallest clock of the agents present; whoever stands there is not
//!    blocked.
//!
//! ```
//! use headway_core::{AgentId, Footprint, Grid, Metric, NewAgent, Rule, Scheduler};
//!
//! let villager = Footprint { sight: 4.0, reach: 1.0, speed: 1.0 };
//! let at = |x| NewAgent { position: [x, 0], footprint: villager, world: 0 };
//! let grid = Grid::new(Metric::Chebyshev, None).unwrap();
//! let (near, far) = (AgentId(1), AgentId(2));
//! let mut scheduler =
//!     Scheduler::new(grid, Rule::Conservative, &[at(0), at(3), at(50)], 1000).unwrap();
//! let mut ready = scheduler.ready();
//! assert_eq!(ready.len(), 3);
//!
//! // Agent 0 is slow. The one next to it has to wait, the one far away goes on.
//! scheduler.start(&ready).unwrap();
//! scheduler.finish(&[near, far], &[[3, 0], [50, 0]], &mut ready).unwrap();
//! assert_eq!(ready, [far]);
//! assert_eq!(scheduler.blockers(near).unwrap(), [AgentId(0)]);
//! ```

#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod checks;
mod cluster;
mod describe;
mod error;
mod frontier;
mod graph;
mod history;
mod ids;
mod index;
mod membership;
pub mod metric;
mod node;
mod quadtree;
pub mod rule;
mod scheduler;
mod story;
mod validate;
mod waits;

pub use error::Error;
pub use graph::{Graph, GraphFault};
pub use history::History;
pub use ids::{AgentId, Step, World};
/// For comparing indexes; not part of what is kept stable.
#[doc(hidden)]
pub use index::{Entry, Index};
pub use metric::{Grid, Metric, Plane, PositionFault, Space};
pub use rule::{Footprint, Rule};
pub use scheduler::{NewAgent, Scheduler, Status};
pub use story::{Happening, StoryEntry};
