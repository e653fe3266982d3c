//! On thousands of random loads the engine and a simulation without any skipping agree on
//! everything that can be seen: every id, every order, every time to the nanosecond, every count.

mod common;

use common::chance::Chance;
use common::load::{self, Line};
use common::twin::{Rarities, Twin};

const LOADS: u64 = 10_000;

#[test]
fn the_engine_equals_its_slow_twin() {
    let mut seen = Rarities::default();
    for seed in 0..LOADS {
        let parameters = load::parameters(&mut Chance::new(seed));
        let mut twin = Twin::new(parameters);
        let expected = load::drive(&mut twin, seed);
        let found = load::drive(&mut load::engine(&parameters), seed);
        let differs = expected.iter().zip(&found).position(|(expected, found)| expected != found);
        if let Some(at) = differs {
            let (expected, found) = (&expected[at], &found[at]);
            panic!(
                "seed {seed}, line {at}, {parameters:?}\ntwin:   {expected:?}\nengine: {found:?}"
            );
        }
        assert_eq!(expected.len(), found.len(), "seed {seed}: one log goes on");
        nothing_is_lost_and_nothing_comes_twice(&found, seed);
        add(&mut seen, twin.rarities);
    }
    let rarest = [
        seen.overtakings,
        seen.split_prompts,
        seen.full_batches,
        seen.spent_budgets,
        seen.running_cancelled,
        seen.waiting_cancelled,
        seen.boundary_arrivals,
        seen.shared_instants,
    ];
    assert!(rarest.iter().all(|&times| times > LOADS / 10), "hardly tested: {seen:?}");
}

/// Every request was either finished once or cancelled once.
fn nothing_is_lost_and_nothing_comes_twice(log: &[Line], seed: u64) {
    let mut submitted = Vec::new();
    let mut gone = Vec::new();
    for line in log {
        match line {
            Line::Submitted(id) => submitted.push(*id),
            Line::Cancelled(id, true) => gone.push(*id),
            Line::Finished(ids) => gone.extend(ids),
            Line::Cancelled(_, false) | Line::Saw(_) => {}
        }
    }
    gone.sort_unstable();
    assert_eq!(submitted, gone, "seed {seed}");
}

fn add(sum: &mut Rarities, more: Rarities) {
    sum.overtakings += more.overtakings;
    sum.split_prompts += more.split_prompts;
    sum.full_batches += more.full_batches;
    sum.spent_budgets += more.spent_budgets;
    sum.running_cancelled += more.running_cancelled;
    sum.waiting_cancelled += more.waiting_cancelled;
    sum.boundary_arrivals += more.boundary_arrivals;
    sum.shared_instants += more.shared_instants;
}
