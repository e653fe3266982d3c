//! A blocked agent is examined again at the first clock of its witness at which it could be free:
//! were it woken any later, a witness that runs straight away from it would prove it late; were it
//! woken any earlier, it could not be free yet, wherever the witness went.

mod common;

use headway_core::{AgentId, Error, Footprint, Grid, Metric, NewAgent, Rule, Scheduler, Step};

/// The first clock of a blocker fleeing along the x axis at which it blocks no longer.
fn free_at(a: Footprint, b: Footprint, gap: [i32; 2], metric: Metric, clock: Step) -> Step {
    let mut at = 0;
    loop {
        let lag = f64::from(clock - at);
        let bound = a.sight.max(a.speed) + b.reach + (lag - 1.0) * b.speed;
        let x = f64::from(gap[0]) + f64::from(at) * b.speed;
        let distance =
            headway_proof::ground::distance(metric, None, [0.0; 2], [x, f64::from(gap[1])]);
        if at == clock || distance > bound {
            return at;
        }
        at += 1;
    }
}

#[test]
fn a_blocked_agent_waits_for_one_witness_and_wakes_exactly_when_free() -> Result<(), Error> {
    let mut waits = 0;
    for metric in headway_proof::ground::METRICS {
        let grid = Grid::new(metric, None).unwrap();
        for (speed, more, sight, clock, x, y) in common::product([3, 2, 4, 7, 9, 3]) {
            let clock = clock + 1; // the blocker may have been seen at step 0 already
            let a = Footprint { sight: f64::from(sight), reach: 0.0, speed: 0.0 };
            let (speed, reach) = (f64::from(speed), f64::from(speed + more));
            let b = Footprint { sight: 0.0, reach, speed };
            let gap = [x as i32, y as i32];
            let blocker = NewAgent { position: gap, footprint: b, world: 0 };
            let waiter = NewAgent { position: [0, 0], footprint: a, world: 0 };
            let mut scheduler = Scheduler::new(grid, Rule::Conservative, &[blocker], 0)?;
            let mut newly = Vec::new();
            let (id, _) = scheduler.add(&waiter, Some(clock), &mut newly)?;
            let expected = free_at(a, b, gap, metric, clock);
            let wakes = scheduler.witness(id)?.map_or(0, |(_, at)| at);
            if y == 0 || (metric != Metric::Euclidean && x >= y) {
                assert_eq!(wakes, expected, "{metric:?} {a:?} {b:?} {gap:?} at {clock}");
            }
            // Off the axis one cannot flee at full speed, so it may be woken in vain, never late.
            assert!(wakes <= expected, "{metric:?} {a:?} {b:?} {gap:?} at {clock}");
            waits += u32::from(wakes > 0);
        }
    }
    assert!(waits > 3000, "only {waits} waits");
    Ok(())
}

#[test]
fn a_root_just_above_a_whole_number_wakes_in_time() -> Result<(), Error> {
    // sqrt(n^2 + 1) rounds to n, the bound at lag 1.
    let n = 1 << 27;
    let grid = Grid::new(Metric::Euclidean, None).unwrap();
    let runner = Footprint { sight: 0.0, reach: 1.0, speed: 1.0 };
    let watcher = Footprint { sight: f64::from(n), reach: 0.0, speed: 0.0 };
    let at = |x, y, footprint| NewAgent { position: [x, y], footprint, world: 0 };
    let mut scheduler = Scheduler::new(grid, Rule::Conservative, &[at(n, 1, runner)], 0)?;
    let mut newly = Vec::new();
    let (id, _) = scheduler.add(&at(0, 0, watcher), Some(2), &mut newly)?;
    assert_eq!(scheduler.witness(id)?, Some((AgentId(0), 1)));
    scheduler.start(&[AgentId(0)])?;
    scheduler.finish(&[AgentId(0)], &[[n + 1, 1]], &mut newly)?;
    assert_eq!(newly, [AgentId(0), id]);
    scheduler.validate()
}
