//! Every order of starts, reads and finishes of small worlds ends as lock-step does, and a rule
//! with one thing wrong is caught, by what a step reads or how the run ends alone.

use std::collections::BTreeMap;

use headway_core::{Footprint, Rule};
use headway_proof::orders::map::Area;
use headway_proof::orders::world::Moves;
use headway_proof::orders::{
    Counterexample, Fault, Findings, Size, SmallWorld, report, search, search_by_pairs, worlds,
};

fn small(rule: Rule) -> impl Iterator<Item = SmallWorld> {
    worlds(Size::Small).into_iter().filter(move |world| world.rule == rule)
}

#[test]
fn every_order_of_every_small_world_ends_as_in_lockstep() {
    assert!(report(Size::Small, None).unwrap());
}

#[test]
fn the_twin_has_as_many_orders() {
    for world in worlds(Size::Small) {
        if world.joins.is_empty() && world.moves != Moves::EveryPath {
            let (found, twins) = (search(&world), search_by_pairs(&world, None));
            assert_eq!((found.violations, twins.violations), (0, 0), "{}", world.name);
            assert_eq!((found.orders, found.lead_max), (twins.orders, twins.lead_max));
            // States that differ in what the scheduler stores are explored apart.
            assert!(found.states >= twins.states, "{}", world.name);
        }
    }
}

#[test]
fn in_every_world_somebody_leads_and_a_fault_is_caught() {
    let mut found: BTreeMap<_, Findings> = BTreeMap::new();
    for world in worlds(Size::Small) {
        let name = format!("{:?}, {}", world.rule, world.name);
        let fault = if world.joins.is_empty() { Fault::OneSmaller } else { Fault::JoinsAnywhere };
        found.entry(name).or_default().add(search_by_pairs(&world, Some(fault)));
    }
    for (name, Findings { lead_max, violations, .. }) in found {
        assert!(lead_max > 0 && violations > 0, "{name}: lead {lead_max}, {violations} wrong");
    }
}

/// The first world in which somebody minds.
fn caught(rule: Rule, fault: Fault) -> Option<Counterexample> {
    small(rule).find_map(|world| {
        let Findings { runs, violations, counterexample, .. } =
            search_by_pairs(&world, Some(fault));
        let shown = counterexample?;
        println!(
            "{fault:?}: {violations} of {runs} runs go wrong, the first of them so:\n{shown}\n"
        );
        Some(shown)
    })
}

#[test]
fn each_wrong_conservative_rule_is_caught() {
    for fault in [
        Fault::OneSmaller,
        Fault::SightForTheLarger,
        Fault::SpeedForReach,
        Fault::OwnSpeed,
        Fault::OneStepFewer,
        Fault::StraightLine,
        Fault::NoWrap,
        Fault::JoinsAnywhere,
    ] {
        assert!(caught(Rule::Conservative, fault).is_some(), "{fault:?}");
    }
}

#[test]
fn each_wrong_compatibility_rule_is_caught() {
    for fault in [
        Fault::OneSmaller,
        Fault::OneStepLater,
        Fault::NoCoupling,
        Fault::UnblockedOnly,
        Fault::SightForTheRadius,
        Fault::OwnFootprint,
        Fault::StraightLine,
        Fault::NoWrap,
        Fault::JoinsAnywhere,
    ] {
        assert!(caught(Rule::Compatibility, fault).is_some(), "{fault:?}");
    }
    assert_eq!(caught(Rule::Compatibility, Fault::PairFootprints), None);
}

#[test]
fn a_child_one_farther_away_than_allowed_is_caught_and_refused() {
    let (mut caught, mut refused) = (0, 0);
    for world in small(Rule::Conservative).filter(|world| !world.births.is_empty()) {
        let mut farther = world.clone();
        for birth in &mut farther.births {
            birth.away += 1.0;
        }
        farther.stride = 3;
        caught += search_by_pairs(&farther, None).violations;
        let shown = search(&farther).counterexample.unwrap();
        assert!(shown.wrong.contains("cannot bring somebody about"), "{}", shown.wrong);
        refused += 1;
    }
    assert!(caught > 0 && refused > 4, "{caught} caught, {refused} refused");
}

#[test]
fn a_counterexample_is_a_shortest_order_that_goes_wrong() {
    let runner = Footprint { sight: 0.0, reach: 2.0, speed: 2.0 };
    let stone = Footprint { sight: 1.0, reach: 0.0, speed: 0.0 };
    let world = SmallWorld {
        name: "a stone and a runner",
        area: Area::line(4),
        steps: 2,
        footprints: vec![stone, runner],
        moves: Moves::EveryPath,
        ..SmallWorld::default()
    };
    assert_eq!(search(&world).violations, 0);
    let found = search_by_pairs(&world, Some(Fault::OneSmaller));
    // The stone's step 0 shouts to where the runner stood as it began.
    let expected = "\
a stone and a runner, conservative rule, on a line of 4 tiles
0 has sight 1, reach 0, speed 0; 1 has sight 0, reach 2, speed 2
at first                     | 0 at 0 in [0, 0]; 1 at 0 in [0, 0]
   1. start   1              | 0 at 0 in [0, 0]; 1 at 0* in [0, 0]
   2. read    1              | 0 at 0 in [0, 0]; 1 at 0* in [0, 0]
   3. finish  1              | 0 at 0 in [0, 0]; 1 at 1 in [2, 0]
   4. start   1              | 0 at 0 in [0, 0]; 1 at 1* in [2, 0]
   5. read    1              | wrong
at its step 1, 1 reads: on tile 2 the mark of 1's step 0; in lock-step: on tile 2 the mark of 1's \
                    step 0, the shout of 0's step 0";
    assert_eq!(found.counterexample.unwrap().to_string(), expected);
}
