//! Worlds run out of order, in random order, end in the state that lock-step gives: every agent's
//! place and value at every step, every mark, every message.
//!
//! Agents perceive others and marks within sight, leave a mark and send a message within reach,
//! move within speed, bring others about; what they do depends on all they perceive, so one wrong
//! read changes the rest of the run. The versioned world is run under the conservative rule, the
//! one changed in place under the compatibility rule. Wrong rules must be noticed: the last tests
//! loosen the bounds.

use std::io::{Write, stderr};
use std::thread::available_parallelism;

use headway_core::{Plane, Rule};
use headway_proof::ground::Home;
use headway_proof::judge::{scheduler, scheduler_with, twin};
use headway_proof::kind::{Footprints, GroundKind, Kind};
use headway_proof::setting::{Events, Faults, Setting};
use headway_proof::sweep::{against_lockstep, outcome, sweep};
use headway_proof::twin::Rules;
use headway_proof::world::{InPlace, Versioned, World};

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|s| s.parse::<u64>().ok())
}

fn seeds() -> std::ops::Range<u64> {
    match number("HEADWAY_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("HEADWAY_SEEDS").unwrap_or(300),
    }
}

/// Whether a share of the runs is too small, unless one alone is replayed.
fn enough(of: u64, share: u64) -> bool {
    number("HEADWAY_SEED").is_some() || of * share > seeds().count() as u64
}

fn is_grid(ground: GroundKind) -> bool {
    matches!(ground, GroundKind::Grid(..))
}

fn is_plane(ground: GroundKind) -> bool {
    matches!(ground, GroundKind::Plane(..))
}

fn is_graph(ground: GroundKind) -> bool {
    ground == GroundKind::Graph
}

/// Seeds in a row have different kinds.
fn setting(seed: u64, rule: Rule, ground: fn(GroundKind) -> bool) -> Setting {
    let wanted = |kind: &Kind| kind.rule == rule && ground(kind.ground);
    let kinds: Vec<_> = Kind::all().into_iter().filter(wanted).collect();
    Setting::of_kind(seed, kinds[seed as usize % kinds.len()])
}

/// Runs in which somebody started a step more than one ahead, and children.
fn equals_lockstep<W: World>(
    rule: Rule,
    ground: fn(GroundKind) -> bool,
    generations: u32,
) -> (u64, u64) {
    let (mut overtook, mut children) = (0, 0);
    for seed in seeds() {
        let mut setting = setting(seed, rule, ground);
        setting.events.generations = generations;
        let (course, difference) = against_lockstep::<W>(&setting, scheduler(&setting));
        assert_eq!(
            difference, None,
            "replay with: HEADWAY_SEED={seed} cargo test -p headway-proof --test as_if_lockstep"
        );
        overtook += u64::from(course.lead_max > 1);
        children += u64::from(course.children);
    }
    (overtook, children)
}

#[test]
fn a_versioned_world_under_the_conservative_rule_ends_as_in_lockstep() {
    let (overtook, _) = equals_lockstep::<Versioned>(Rule::Conservative, is_grid, 0);
    assert!(enough(overtook, 3), "only {overtook} runs had a lead");
}

#[test]
fn a_versioned_world_whose_agents_bring_others_about_ends_as_in_lockstep() {
    let (overtook, children) = equals_lockstep::<Versioned>(Rule::Conservative, is_grid, 3);
    assert!(enough(overtook, 3), "only {overtook} runs had a lead");
    assert!(enough(children / 3, 1), "only {children} children");
}

#[test]
fn a_versioned_world_on_a_plane_ends_as_in_lockstep() {
    let (overtook, children) = equals_lockstep::<Versioned>(Rule::Conservative, is_plane, 3);
    assert!(enough(overtook, 3), "only {overtook} runs had a lead");
    assert!(enough(children / 3, 1), "only {children} children");
}

#[test]
fn a_versioned_world_on_a_graph_ends_as_in_lockstep() {
    let (overtook, children) = equals_lockstep::<Versioned>(Rule::Conservative, is_graph, 3);
    assert!(enough(overtook, 3), "only {overtook} runs had a lead");
    assert!(enough(children / 3, 1), "only {children} children");
}

#[test]
fn a_world_changed_in_place_under_the_compatibility_rule_ends_as_in_lockstep() {
    let (overtook, _) = equals_lockstep::<InPlace>(Rule::Compatibility, is_grid, 0);
    assert!(enough(overtook, 5), "only {overtook} runs had a lead");
}

#[test]
fn a_plane_changed_in_place_under_the_compatibility_rule_ends_as_in_lockstep() {
    let (overtook, _) = equals_lockstep::<InPlace>(Rule::Compatibility, is_plane, 0);
    assert!(enough(overtook, 5), "only {overtook} runs had a lead");
}

#[test]
fn a_graph_changed_in_place_under_the_compatibility_rule_ends_as_in_lockstep() {
    let (overtook, _) = equals_lockstep::<InPlace>(Rule::Compatibility, is_graph, 0);
    assert!(enough(overtook, 9), "only {overtook} runs had a lead");
}

#[test]
fn worlds_of_every_kind_end_as_in_lockstep() {
    let runs = 20 * Kind::all().len() as u64;
    let counts = sweep(&(0..runs), available_parallelism().map_or(1, Into::into), outcome, |_| ());
    let all = counts.all();
    let said = format!(
        "{} random worlds of {} kinds: in {} somebody overtook, {} differ from lock-step",
        all.runs,
        counts.kinds.len(),
        all.overtaken,
        all.differences
    );
    // Not captured, so that every run of the tests says it.
    writeln!(stderr(), "{said}").unwrap();
    let seed = counts.failures.first().map_or(0, |(seed, _)| *seed);
    assert_eq!(counts.failures, [], "replay with: headway-proof random --seed {seed}");
    assert!(all.runs == runs && all.overtaken * 10 > runs * 9, "{said}");
    for (kind, tally) in &counts.kinds {
        assert!(tally.overtaken * 4 > tally.runs, "{kind:?}: {tally:?}");
    }
    for tally in [counts.joins, counts.leaves, counts.children] {
        assert!(tally.overtaken > runs / 10, "{tally:?}");
    }
}

#[test]
fn these_worlds_notice_a_rule_that_is_too_loose() {
    // The conservative rule lets neighbours part; without versions that must show.
    let wrong = (0..200)
        .filter(|&seed| {
            let mut setting = setting(seed, Rule::Conservative, is_grid);
            setting.events = Events::SAME_AGENTS;
            let judge = scheduler_with(&setting, Rule::Conservative);
            against_lockstep::<InPlace>(&setting, judge).1.is_some()
        })
        .count();
    assert!(wrong > 100, "only {wrong} of 200 runs differ");
}

/// How many of these worlds differ from lock-step, run by the twin with a bound smaller by `less`.
fn differing(settings: impl Iterator<Item = Setting>, less: f64) -> usize {
    let differs = |setting: &Setting| {
        let judge = twin(setting, Rules::conservative_less(Plane::LEAN, less));
        against_lockstep::<Versioned>(setting, judge).1.is_some()
    };
    settings.filter(differs).count()
}

#[test]
fn these_worlds_notice_children_one_farther_away_than_allowed() {
    let differ = |ground: fn(GroundKind) -> bool, too_far: f64| {
        let settings = (0..400).map(|seed| Setting {
            events: Events { generations: 3, ..Events::SAME_AGENTS },
            faults: Faults { too_far, ..Faults::default() },
            steps: 10,
            ..setting(seed, Rule::Conservative, ground)
        });
        differing(settings, 0.0)
    };
    for ground in [is_grid, is_plane, is_graph] {
        assert_eq!(differ(ground, 0.0), 0);
        let wrong = differ(ground, 1.0);
        assert!(wrong > 40, "only {wrong} of 400 runs differ");
    }
}

#[test]
fn worlds_on_every_ground_notice_a_bound_that_is_too_small() {
    for ground in GroundKind::all() {
        for footprints in Footprints::ALL {
            let kind = Kind { rule: Rule::Conservative, ground, footprints };
            let worlds = || {
                (0..40).map(|seed| Setting {
                    events: Events::SAME_AGENTS,
                    ..Setting::of_kind(seed, kind)
                })
            };
            assert_eq!(differing(worlds(), 0.0), 0, "{kind:?}");
            let wrong = differing(worlds(), 1.0);
            assert!(wrong > 4, "only {wrong} of 40 differ: {kind:?}");
        }
    }
}
