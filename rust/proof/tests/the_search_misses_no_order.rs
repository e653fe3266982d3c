//! The search merges ways that lead to the same state; that loses nothing. Without any memory the
//! orders are walked one by one, and are as many; and wherever two ways have led to one state, the
//! same can happen next, with the same outcome.

use std::collections::BTreeMap;
use std::rc::Rc;

use headway_core::{Footprint, Graph, Grid, Plane, Rule};
use headway_proof::orders::map::{Area, Ground, Home, Map};
use headway_proof::orders::pairs::Pairs;
use headway_proof::orders::scheduling::{Indexed, Scheduling};
use headway_proof::orders::search::key;
use headway_proof::orders::state::{Run, State, Went};
use headway_proof::orders::world::{Birth, Join, Leave, Reads};
use headway_proof::orders::{Size, SmallWorld, search, worlds};

const WALKER: Footprint = Footprint { sight: 1.0, reach: 1.0, speed: 1.0 };
const PILLAR: Footprint = Footprint { sight: 1.0, reach: 1.0, speed: 0.0 };

/// Every event that leads on from a state, with the state it leads to.
fn futures<D: Scheduling>(run: &Run, state: &State<D>) -> Vec<(String, State<D>)> {
    let mut futures = Vec::new();
    for event in state.events(run.world) {
        let mut next = state.clone();
        if next.apply(run, event).unwrap() == Went::On {
            futures.push((event.to_string(), next));
        }
    }
    futures
}

/// Calls for the first state of every run of a world.
fn each_start<S: Home>(world: &SmallWorld, mut each: impl FnMut(&Run, State<Indexed<S>>)) {
    let map = Map::new(world.area);
    let pairs = Rc::new(Pairs::new(world, None));
    world.each_setting(&map, |setting| {
        let run = Run::new(world, &map, &pairs, &setting);
        each(&run, State::new(&run, Indexed::new(world, &pairs, &setting.starts)));
    });
}

/// Number of orders from here to an end, each walked on its own.
fn walk<D: Scheduling>(run: &Run, state: &State<D>) -> u128 {
    let further: u128 = futures(run, state).iter().map(|(_, next)| walk(run, next)).sum();
    further + u128::from(state.is_final(run.world))
}

#[test]
fn orders_walked_one_by_one_are_as_many() {
    let two = SmallWorld {
        area: Area::line(6),
        steps: 2,
        footprints: vec![WALKER; 2],
        stride: 5,
        ..SmallWorld::default()
    };
    let join = |footprint, at| Join { footprint, at };
    let tiny = [
        SmallWorld { steps: 3, reads: Reads::AtStart, ..two.clone() },
        SmallWorld { area: Area::line(5).wrapped(), batches: true, ..two.clone() },
        SmallWorld {
            footprints: vec![WALKER, PILLAR, PILLAR],
            reads: Reads::AtStart,
            stride: 29,
            ..two.clone()
        },
        SmallWorld { joins: vec![join(PILLAR, None)], steps: 1, stride: 17, ..two.clone() },
        SmallWorld { leaves: vec![Leave { name: 0, at: 1 }], ..two.clone() },
        SmallWorld {
            births: vec![Birth { parent: 0, step: 0, footprint: PILLAR, away: 1.0 }],
            reads: Reads::AtStart,
            ..two.clone()
        },
        SmallWorld { rule: Rule::Compatibility, ..two.clone() },
        SmallWorld {
            rule: Rule::Compatibility,
            area: Area::line(8),
            footprints: vec![WALKER; 3],
            stride: 37,
            ..two.clone()
        },
        SmallWorld {
            rule: Rule::Compatibility,
            joins: vec![join(WALKER, Some(1))],
            stride: 17,
            ..two
        },
    ];
    let mut all = 0;
    for world in tiny {
        let mut walked = 0;
        each_start::<Grid>(&world, |run, first| walked += walk(run, &first));
        assert_eq!(walked, search(&world).orders, "{world:?}");
        all += walked;
    }
    assert!(all > 10_000, "only {all} orders");
}

/// How often a way has led to a state that another has led to before.
fn compare_futures<S: Home>(world: &SmallWorld) -> u64 {
    let mut compared = 0;
    each_start::<S>(world, |run, first| {
        let mut ahead = BTreeMap::from([(first.rank(), vec![first])]);
        let mut known: BTreeMap<Vec<u8>, Vec<(String, Vec<u8>)>> = BTreeMap::new();
        while let Some((_, states)) = ahead.pop_first() {
            for state in states {
                let next = futures(run, &state);
                let outlook = next.iter().map(|(event, next)| (event.clone(), key(run, next)));
                let outlook = outlook.collect();
                if let Some(before) = known.get(&key(run, &state)) {
                    assert_eq!(before, &outlook, "{}, {}", world.name, state.scene(run));
                    compared += 1;
                    continue;
                }
                known.insert(key(run, &state), outlook);
                for (_, next) in next {
                    ahead.entry(next.rank()).or_default().push(next);
                }
            }
        }
    });
    compared
}

#[test]
fn equal_states_have_equal_futures() {
    let mut compared = 0;
    for mut world in worlds(Size::Small).into_iter().filter(|w| w.footprints.len() > 2) {
        // On the line, three are enough for the order within a cell to decide who is waited for:
        // were it not described, this would fail.
        world.stride = if world.name == "three walkers" { 3 } else { world.stride * 4 };
        compared += match world.area.ground {
            Ground::Grid(_) => compare_futures::<Grid>(&world),
            Ground::Plane(_) => compare_futures::<Plane>(&world),
            Ground::Graph => compare_futures::<Graph>(&world),
        };
    }
    assert!(compared > 10_000, "only {compared} ways led to a state known before");
}
