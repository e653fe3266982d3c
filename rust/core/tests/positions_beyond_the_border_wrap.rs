//! Where the borders are joined, the place of the border does not matter: a world shifted by any
//! amount has the same blockers, the same ready agents and the same witnesses' distances.

use headway_core::{AgentId, Error, Footprint, Grid, NewAgent, Plane, Rule, Scheduler, Space};
use headway_proof::ground::METRICS;
use headway_proof::random::Random;

const SIZE: [i32; 2] = [37, 23];

fn facts<S: Space>(scheduler: &Scheduler<S>) -> String {
    let blockers: Vec<_> = (0..scheduler.agents_joined() as u32)
        .map(|id| scheduler.blockers(AgentId(id)).unwrap())
        .collect();
    let mut ready = scheduler.ready();
    ready.sort_unstable();
    format!("{ready:?} {blockers:?}")
}

/// Runs one random world whose places are shifted; returns all blockers after every event.
fn run<S: Space>(
    space: S,
    rule: Rule,
    seed: u64,
    shift: [i32; 2],
    position: fn([i32; 2]) -> S::Position,
) -> Result<Vec<String>, Error> {
    let mut random = Random(seed);
    let place = |p: [i32; 2]| position([0, 1].map(|i| (p[i] + shift[i]).rem_euclid(SIZE[i])));
    let mut places: Vec<_> = (0..12).map(|_| SIZE.map(|s| random.below(s as u64) as i32)).collect();
    let new: Vec<_> = places
        .iter()
        .map(|&p| {
            let [sight, speed] = [4, 2].map(|most| random.between(0, most) as f64);
            let footprint = Footprint { sight, reach: speed + 1.0, speed };
            NewAgent { position: place(p), footprint, world: 0 }
        })
        .collect();
    let mut scheduler = Scheduler::new(space, rule, &new, 0)?;
    let mut log = vec![facts(&scheduler)];
    let mut newly = Vec::new();
    for _ in 0..150 {
        let mut ready = scheduler.ready();
        ready.sort_unstable();
        let chosen = ready[random.below(ready.len() as u64) as usize];
        let label = scheduler.cluster(chosen)?;
        ready.retain(|&id| scheduler.cluster(id) == Ok(label));
        scheduler.start(&ready)?;
        for id in &ready {
            let speed = new[id.0 as usize].footprint.speed as i64;
            let axis = random.below(2) as usize;
            places[id.0 as usize][axis] += random.between(-speed, speed) as i32;
        }
        let to: Vec<_> = ready.iter().map(|id| place(places[id.0 as usize])).collect();
        scheduler.finish(&ready, &to, &mut newly)?;
        scheduler.validate()?;
        log.push(facts(&scheduler));
    }
    Ok(log)
}

#[test]
fn positions_beyond_the_border_wrap() -> Result<(), Error> {
    let mut random = Random(9);
    for seed in 0..60 {
        let metric = METRICS[seed as usize % 3];
        let rule = if seed % 2 == 0 { Rule::Conservative } else { Rule::Compatibility };
        let shift = [random.between(0, 100) as i32, random.between(-100, 0) as i32];
        let grid = Grid::new(metric, Some(SIZE)).unwrap();
        let plane = Plane::new(metric, Some(SIZE.map(f64::from))).unwrap();
        let expected = run(grid, rule, seed, [0, 0], |x| x)?;
        assert_eq!(expected, run(grid, rule, seed, shift, |x| x)?, "seed {seed}, shift {shift:?}");
        assert_eq!(
            expected,
            run(plane, rule, seed, shift, |p| p.map(f64::from))?,
            "seed {seed} on a plane"
        );
    }
    Ok(())
}
