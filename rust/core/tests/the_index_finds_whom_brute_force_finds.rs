//! Whatever happens where, negative coordinates and the ends of the world included, a search finds
//! exactly the blockers that a look at every pair finds. Proptest shrinks a failure and prints the
//! smallest list of places and moves that shows it.

use headway_core::{AgentId, Footprint, Grid, NewAgent, Rule, Scheduler};
use headway_proof::ground::{Axes, Ground, Home, METRICS};
use headway_proof::twin::{Rules, Twin, TwinAgent};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

const LIMIT: i32 = Grid::LIMIT;

/// Crowded places: around the origin, at powers of two, at the ends.
fn coordinate() -> impl Strategy<Value = i32> {
    let around = prop_oneof![
        4 => Just(0),
        2 => prop::sample::select(vec![-256, -8, 8, 64, 4096]),
        1 => prop::sample::select(vec![-LIMIT, LIMIT]),
        1 => -1000..1000,
    ];
    (around, -9..9).prop_map(|(around, off): (i32, i32)| (around + off).clamp(-LIMIT, LIMIT))
}

fn agent() -> impl Strategy<Value = TwinAgent> {
    let lengths = prop_oneof![5 => 0..6_i32, 1 => 0..1 << 20];
    (coordinate(), coordinate(), lengths, 0..3, 0..3, 0..2_u32).prop_map(
        |(x, y, sight, more, speed, world)| {
            let [sight, reach, speed] = [sight, speed + more, speed].map(f64::from);
            let footprint = Footprint { sight, reach, speed };
            TwinAgent { world, ..TwinAgent::new([x, y].map(f64::from), footprint, 0) }
        },
    )
}

/// One step of some ready agent, or its leaving.
#[derive(Clone, Debug)]
struct Event {
    who: prop::sample::Index,
    by: [i32; 2],
    leaves: bool,
}

fn event() -> impl Strategy<Value = Event> {
    (any::<prop::sample::Index>(), -2..=2, -2..=2, prop::bool::weighted(0.03))
        .prop_map(|(who, dx, dy, leaves)| Event { who, by: [dx, dy], leaves })
}

proptest! {
    #![proptest_config(Config {
        cases: 300,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..Config::default()
    })]

    #[test]
    fn the_index_finds_whom_brute_force_finds(
        agents in prop::collection::vec(agent(), 1..16),
        events in prop::collection::vec(event(), 0..80),
        metric in prop::sample::select(METRICS.to_vec()),
    ) {
        let new: Vec<_> = agents
            .iter()
            .map(|a| NewAgent {
                position: a.position.map(|x| x as i32),
                footprint: a.footprint,
                world: a.world,
            })
            .collect();
        let axes = Axes { metric, size: [f64::INFINITY; 2], wrapped: false };
        let ground = Ground::Grid(axes);
        let grid = Grid::of(&ground);
        let mut twin = Twin { rules: Rules::conservative(0.0), ground, agents };
        let mut scheduler = Scheduler::new(grid, Rule::Conservative, &new, 0).unwrap();
        let mut newly = Vec::new();
        for Event { who, by, leaves } in events {
            let ready = twin.ready();
            if ready.is_empty() {
                break;
            }
            let id = ready[who.index(ready.len())];
            let agent = &mut twin.agents[id.0 as usize];
            if leaves {
                agent.present = false;
                scheduler.remove(&[id], &mut newly).unwrap();
            } else {
                let along = usize::from(by[0] == 0);
                let speed = agent.footprint.speed as i32;
                let x = agent.position[along] as i32 + by[along].clamp(-speed, speed);
                agent.position[along] = f64::from(x.clamp(-LIMIT, LIMIT));
                agent.clock += 1;
                let to = agent.position.map(|x| x as i32);
                scheduler.start(&[id]).unwrap();
                scheduler.finish(&[id], &[to], &mut newly).unwrap();
            }
            scheduler.validate().unwrap();
            for a in (0..twin.agents.len()).filter(|&a| twin.agents[a].present) {
                let found = scheduler.blockers(AgentId(a as u32)).unwrap();
                prop_assert_eq!(found, twin.blockers(a), "of agent {}", a);
            }
        }
    }
}
