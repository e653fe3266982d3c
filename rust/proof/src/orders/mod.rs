//! Every order of events of small worlds ends as lock-step does.
//!
//! A few agents, a few tiles, a few steps; the scheduler of `headway-core` itself, not a model of
//! it; and from every state every event that can come next: an agent (or cluster) starts, reads,
//! brings somebody about, finishes, leaves, or somebody joins. What is asserted in every state, and
//! at every event:
//!
//! - *Safety.* What a step reads is what it reads in lock-step ([`lockstep`]): agents and in which
//!   state, marks on tiles, shouts. In the end all is as in lock-step.
//! - *Progress.* Short of the end somebody can start, read, finish or leave. Whoever stands at the
//!   frontier may go.
//! - *Validity.* In a world changed in place the published condition on clocks and distances holds,
//!   also for the clocks and places that the steps in progress may end with.
//! - *Answers.* Ready agents, their clusters and order, blockers and newly ready agents are those
//!   that follow from all pairs ([`pairs`]); the scheduler's own validation passes; whoever is
//!   ready stays so until it starts (or somebody joins its cluster); refused joins leave no trace.
//!
//! Read it in this order:
//!
//! | module | holds |
//! |---|---|
//! | [`world`] | what a small world is, and every way to begin |
//! | [`worlds`] | **the list** |
//! | [`map`], [`group`] | tiles and distances, a few agents as bits |
//! | [`lockstep`] | the run all others are compared with |
//! | [`in_place`] | the content of a world changed in place |
//! | [`state`] | one state, its events and what each does |
//! | [`checks`] | what must hold, and what tells states apart |
//! | [`scheduling`], [`pairs`] | the scheduler as it is driven; its twin, with faults on request |
//! | [`search`] | the search, counting, counterexamples |
//! | [`table`] | what was found, as a table and as JSON |
//!
//! # Which runs
//!
//! A run is a way to place the agents and what decides their moves. Places: all, up to the
//! symmetries of the area, or every so many-th of them; agents are told apart even where they are
//! alike, because the scheduler tells them apart by id. Moves: each path that the agents can walk
//! together, with marks left on every tile within reach; or, for one seed or several, moves and
//! marks that hang on all that an agent perceives. At every step everybody also shouts to whoever
//! stands within reach, seen or not.
//!
//! # When a step reads
//!
//! In a world changed in place each agent's reading is an event of its own between start and
//! finish. In a versioned world the instant cannot matter, as versions are only ever added: what
//! belongs to the snapshot of a running step and is there once stays there, and if all of it is
//! there at the start, nothing can be added to it. Some versioned worlds have reading as an event
//! all the same; where it is one with the start ([`world::Reads::AtStart`]) every running agent is
//! asked in every state whether it would still read the same.
//!
//! # Which states are the same
//!
//! Two ways lead to one state if nothing in the future can tell them apart: the same clocks and
//! phases, the same course (who has joined when), the same content of a world changed in place, and
//! the same bytes of [`headway_core::Scheduler::describe`]: statuses, clusters, whom each blocked
//! agent waits for and until when, and in which order the agents of one cell are listed, which
//! decides whom the next one will wait for. So states with equal clocks and places but other
//! witnesses are explored apart (up to a tenth more states than clocks and places alone would
//! make). Keys are kept and compared whole, there is no hash to trust. That equal keys do have
//! equal futures is tested, too, by a search without memory and by comparing what comes after.
//!
//! # Counting
//!
//! Every event adds to the rank of a state, so the states are a directed graph without circles, and
//! the number of orders that lead to a state is the sum over those it is come to from. The figures
//! of a table add these up over all runs, each with its own first places and moves. A run whose
//! newcomer may join at any instant ends with it or without it; both count.
//!
//! # Why a plain search
//!
//! `stateright` 0.31 is the model checker for Rust that comes nearest: a breadth-first or
//! depth-first search over any `Hash + Clone` state, with symmetry reduction, several threads and
//! an explorer in the browser. It would drive this scheduler as well. But it knows states by a
//! hash of 64 bits only; keeps no edges, so the number of orders, one of the figures wanted here,
//! would need a second search; its properties are predicates on a state, while much of what is
//! asserted here is about an event (what was read, who is said to have become ready), so that the
//! errors of the last event would have to be kept in the state; and it brings some forty crates to
//! a workspace whose core has one dependency. `loom` and `shuttle` explore the interleavings of
//! threads through their own locks and atomics; the core has none. What remains to be written is a
//! map by rank and a loop, [`search::explore`].

pub mod checks;
pub mod group;
pub mod in_place;
pub mod lockstep;
pub mod map;
pub mod pairs;
pub mod scheduling;
pub mod search;
pub mod state;
pub mod table;
pub mod world;
pub mod worlds;

use std::io::Write as _;
use std::path::Path;
use std::rc::Rc;

use headway_core::{Graph, Grid, Plane, Rule};

pub use pairs::Fault;
pub use search::{Counterexample, Findings};
pub use table::Row;
pub use world::SmallWorld;
pub use worlds::{Size, worlds};

use map::{Ground, Home, Map};
use pairs::{AllPairs, Pairs};
use scheduling::{Indexed, Scheduling};
use search::explore;
use state::{Run, State};

/// Explores every order of every run of a world, driven by the scheduler of `headway-core`.
#[must_use]
pub fn search(world: &SmallWorld) -> Findings {
    fn on<S: Home>(world: &SmallWorld) -> Findings {
        let twin = Rc::new(Pairs::new(world, None));
        each_run(world, false, |run| Indexed::<S>::new(world, &twin, &run.setting.starts))
    }
    match world.area.ground {
        Ground::Grid(_) => on::<Grid>(world),
        Ground::Plane(_) => on::<Plane>(world),
        Ground::Graph => on::<Graph>(world),
    }
}

/// Explores every order of every run of a world, driven by the rule over all pairs, with one thing
/// wrong or none. It is judged by what is read and how it ends alone.
#[must_use]
pub fn search_by_pairs(world: &SmallWorld, fault: Option<Fault>) -> Findings {
    each_run(world, true, |run| AllPairs::new(world, &run.setting.starts, fault))
}

fn each_run<D: Scheduling>(
    world: &SmallWorld,
    outcome_only: bool,
    scheduler: impl Fn(&Run) -> D,
) -> Findings {
    let map = Map::new(world.area);
    let pairs = Pairs::new(world, None);
    let mut findings = Findings::default();
    world.each_setting(&map, |setting| {
        let mut run = Run::new(world, &map, &pairs, &setting);
        run.outcome_only = outcome_only;
        findings.add(explore(&run, State::new(&run, scheduler(&run))));
    });
    findings
}

/// Searches the worlds of one size, prints the table and the first counterexample of each line,
/// and writes the table as JSON where a file is given. Whether all is well.
///
/// # Errors
/// The table cannot be written.
pub fn report(size: Size, json: Option<&Path>) -> std::io::Result<bool> {
    let mut out = std::io::stdout().lock();
    let mut rows: Vec<Row> = Vec::new();
    for rule in [Rule::Conservative, Rule::Compatibility] {
        writeln!(out, "{} rule\n{}", table::rule_name(rule), Row::head())?;
        let of_rule: Vec<_> = worlds(size).into_iter().filter(|w| w.rule == rule).collect();
        for group in of_rule.chunk_by(|a, b| a.name == b.name) {
            let of_group = group.iter().map(|world| Row::new(world, search(world)));
            let row = of_group.reduce(Row::with).expect("a group has a world");
            writeln!(out, "{}", row.line())?;
            if let Some(counterexample) = &row.findings.counterexample {
                writeln!(out, "\n{counterexample}\n")?;
            }
            out.flush()?;
            rows.push(row);
        }
        writeln!(out, "{}\n", Row::total(rule, &rows).line())?;
    }
    if let Some(file) = json {
        std::fs::write(file, table::json(&rows))?;
    }
    Ok(rows.iter().all(|row| row.findings.violations == 0))
}
