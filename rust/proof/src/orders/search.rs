//! The search: every order of events, state by state.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use headway_core::Footprint;

use super::scheduling::Scheduling;
use super::state::{Event, Run, State, Went};
use super::table::rule_name;
use super::world::{SmallWorld, Step};

/// What came of all orders of one run, or of many runs.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// Number of runs.
    pub runs: u64,
    /// Distinct states.
    pub states: u64,
    /// Events in distinct states.
    pub transitions: u64,
    /// Orders of events from the first state to an end; `u128::MAX` where there are more.
    pub orders: u128,
    /// Largest difference of two clocks.
    pub lead_max: Step,
    /// Runs in which something was wrong.
    pub violations: u64,
    /// The first of these.
    pub counterexample: Option<Counterexample>,
}

impl Findings {
    /// Adds those of other runs.
    pub fn add(&mut self, other: Self) {
        self.runs += other.runs;
        self.states += other.states;
        self.transitions += other.transitions;
        self.orders = self.orders.saturating_add(other.orders);
        self.lead_max = self.lead_max.max(other.lead_max);
        self.violations += other.violations;
        self.counterexample = self.counterexample.take().or(other.counterexample);
    }
}

/// A shortest order of events after which something is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counterexample {
    /// How the run begins.
    pub begins: String,
    /// Each event, and what can be seen after it.
    pub events: Vec<(Event, String)>,
    /// What is wrong.
    pub wrong: String,
}

impl fmt::Display for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.begins)?;
        for (number, (event, scene)) in self.events.iter().enumerate() {
            // Padded as a whole, so that the scenes stand in one column.
            let event = event.to_string();
            writeln!(f, "{:>4}. {event:<22} | {scene}", number + 1)?;
        }
        write!(f, "{}", self.wrong)
    }
}

/// How a state was first come to: from which, by its number, and by what; the first by nothing.
type Way = (u32, Option<Event>);

struct Found<D> {
    state: State<D>,
    number: u32,
    /// Orders that lead to it.
    orders: u128,
}

/// Explores every order of the events of one run.
///
/// States are taken in the order of their rank, to which every event adds, so a state is left only
/// when all ways to it are known, and the number of orders that lead to it is their sum. Only
/// states of the ranks ahead are kept. The first order found that goes wrong is one of the
/// shortest; it ends the search.
pub fn explore<D: Scheduling>(run: &Run, first: State<D>) -> Findings {
    let mut findings = Findings { runs: 1, states: 1, ..Findings::default() };
    let mut ways: Vec<Way> = vec![(0, None)];
    let start = first.clone();
    let fail = |findings: Findings, ways: &[Way], number, last, wrong| Findings {
        violations: 1,
        counterexample: Some(counterexample(run, &start, ways, number, last, wrong)),
        ..findings
    };
    if let Err(wrong) = guarded(|| first.check(run)) {
        return fail(findings, &ways, 0, None, wrong);
    }
    let mut ahead: BTreeMap<usize, BTreeMap<Vec<u8>, Found<D>>> = BTreeMap::new();
    let (rank, key_of_first) = (first.rank(), key(run, &first));
    ahead
        .entry(rank)
        .or_default()
        .insert(key_of_first, Found { state: first, number: 0, orders: 1 });
    while let Some((_, layer)) = ahead.pop_first() {
        for found in layer.into_values() {
            findings.lead_max = findings.lead_max.max(found.state.lead());
            if found.state.is_final(run.world) {
                findings.orders = findings.orders.saturating_add(found.orders);
            }
            for event in found.state.events(run.world) {
                let mut next = found.state.clone();
                match guarded(|| next.apply(run, event)) {
                    Ok(Went::Refused) => continue,
                    Ok(Went::On) => {}
                    Err(wrong) => return fail(findings, &ways, found.number, Some(event), wrong),
                }
                findings.transitions += 1;
                let known = ahead.entry(next.rank()).or_default().entry(key(run, &next));
                let known = known.or_insert_with(|| {
                    findings.states += 1;
                    ways.push((found.number, Some(event)));
                    Found { state: next, number: ways.len() as u32 - 1, orders: 0 }
                });
                known.orders = known.orders.saturating_add(found.orders);
            }
        }
    }
    findings
}

/// All that the future of a state hangs on. Keys are compared whole.
#[must_use]
pub fn key<D: Scheduling>(run: &Run, state: &State<D>) -> Vec<u8> {
    let mut key = Vec::new();
    state.describe(run.world, &mut key);
    key
}

/// A panic of what is checked is a violation like any other.
fn guarded<T>(call: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().cloned();
        let said = said.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
        Err(format!("panic: {}", said.unwrap_or_default()))
    })
}

/// The events that led to a state, and one more after which something was wrong.
fn counterexample<D: Scheduling>(
    run: &Run,
    first: &State<D>,
    ways: &[Way],
    mut number: u32,
    last: Option<Event>,
    wrong: String,
) -> Counterexample {
    let mut order = Vec::new();
    while let (from, Some(event)) = ways[number as usize] {
        order.push(event);
        number = from;
    }
    let mut state = first.clone();
    let mut events = Vec::new();
    for event in order.into_iter().rev() {
        state.apply(run, event).expect("it went well before");
        events.push((event, state.scene(run)));
    }
    events.extend(last.map(|event| (event, "wrong".to_string())));
    let footprints = (0..run.world.names()).map(|name| {
        let Footprint { sight, reach, speed } = run.world.footprint(name);
        format!("{name} has sight {sight}, reach {reach}, speed {speed}")
    });
    let footprints: Vec<_> = footprints.collect();
    let SmallWorld { name, area, rule, .. } = run.world;
    let begins = format!(
        "{name}, {} rule, on {area}\n{}\nat first                     | {}",
        rule_name(*rule),
        footprints.join("; "),
        first.scene(run)
    );
    Counterexample { begins, events, wrong }
}
