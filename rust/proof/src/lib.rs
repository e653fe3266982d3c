//! Machines that try to break the promise of `headway-core`: that a run out of order gives what
//! lock-step would have given. None of this is part of the package that users install.
//!
//! A *random world* is drawn from one seed: its ground, its agents and their footprints, what kinds
//! of events it has, whose steps take long. What an agent does depends on all it perceives, so one
//! wrong read changes the rest of the run. The world is run out of order, as the scheduler under
//! test allows, and in lock-step, and every state, mark and message must be equal.
//!
//! ```
//! use headway_proof::sweep::{outcome, sweep};
//!
//! let counts = sweep(&(0..260), 1, outcome, |_| ());
//! assert_eq!(counts.failures, []);
//! // It would show nothing if nobody had ever been ahead of anybody.
//! assert!(counts.all().overtaken > 200);
//! ```
//!
//! The same on a command line: `cargo run --release -p headway-proof -- random --runs 100000`.
//!
//! Read it in this order:
//!
//! | module | holds |
//! |---|---|
//! | [`random`] | the generator of which one seed decides a run |
//! | [`ground`] | places and distances, without the core's arithmetic |
//! | [`kind`] | rule, ground and footprints: the kinds of random worlds |
//! | [`setting`] | all that is drawn for one world before it is run |
//! | [`agent`] | what an agent does, given all it perceives |
//! | [`world`] | the versioned world and the one changed in place |
//! | [`lockstep`] | the run that every other must equal |
//! | [`twin`] | the slow twin: any rule, written out over all pairs |
//! | [`judge`] | who decides in a run: the scheduler under test, or the twin |
//! | [`run`] | the run out of order |
//! | [`sweep`] | many seeds, each run and compared, and counts of what came of them |
//! | [`report`] | the counts as a table and as JSON |
//! | [`orders`] | small worlds in every order of starts, reads and finishes, instead of some |
//! | [`fuzz`] | calls made of any bytes, for a fuzzer |
//!
//! The tests show that wrong rules are noticed: `tests/as_if_lockstep.rs` loosens the bounds a
//! little, `tests/the_published_traps.rs` holds what is known to go wrong around the published
//! rules. `tests/twin.rs` compares the scheduler with the twin after every event.

pub mod agent;
pub mod fuzz;
pub mod ground;
pub mod judge;
pub mod kind;
pub mod lockstep;
pub mod orders;
pub mod random;
pub mod report;
pub mod run;
pub mod setting;
pub mod sweep;
pub mod twin;
pub mod world;
