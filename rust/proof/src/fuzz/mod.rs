//! Targets for fuzzing: each takes any bytes, makes calls of them, and panics where something
//! happens that must not.
//!
//! Coverage-guided they are run by `rust/fuzz` (`make fuzz`), a package apart because it needs
//! libFuzzer and flags of its own. The bodies are here, in a member of the workspace, so that
//! `cargo test` can run them too: on the seeds of `rust/fuzz/seeds` and on inputs drawn at random.

mod draw;
pub mod event_door;
mod ground;
mod pairs;
pub mod position_history;
pub mod virtual_server;

/// What runs one input.
pub type Target = fn(&[u8]);

/// Every target by its name.
pub const TARGETS: [(&str, Target); 3] = [
    ("event_door", event_door::run),
    ("position_history", position_history::run),
    ("virtual_server", virtual_server::run),
];
