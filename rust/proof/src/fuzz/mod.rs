//! Targets for fuzzing: each takes any bytes, makes calls of them, and panics where something
//! happens that must not.
//!
//! Coverage-guided they are run by `rust/fuzz` (`make fuzz`), a package apart because it needs
//! libFuzzer and flags of its own. The bodies are here, in a member of the workspace, so that
//! `cargo test` can run them too: on their seeds and on inputs drawn at random, which
//! `headway-proof fuzz` does for as long as it is told.

pub mod campaign;
mod draw;
pub mod event_door;
mod ground;
pub mod inputs;
mod pairs;
pub mod position_history;
pub mod virtual_server;

/// A body, and inputs to begin with.
#[derive(Clone, Copy)]
pub struct Target {
    /// What it is called everywhere.
    pub name: &'static str,
    /// Runs one input.
    pub run: fn(&[u8]),
    /// One input a line, in hexadecimal digits; `#` begins a comment.
    pub seeds: &'static str,
}

/// Every target.
pub const TARGETS: [Target; 3] = [
    Target {
        name: "event_door",
        run: event_door::run,
        seeds: include_str!("seeds/event_door.txt"),
    },
    Target {
        name: "position_history",
        run: position_history::run,
        seeds: include_str!("seeds/position_history.txt"),
    },
    Target {
        name: "virtual_server",
        run: virtual_server::run,
        seeds: include_str!("seeds/virtual_server.txt"),
    },
];
