//! A scheduler made of nothing but everybody's place and clock goes on as the one it was made from:
//! those who were ready or running may start, all others wait.

use headway_core::{
    AgentId, Error, Footprint, Grid, Metric, NewAgent, Rule, Scheduler, Status, Step,
};
use headway_proof::random::Random;

type Cut = (Vec<NewAgent<[i32; 2]>>, Vec<Step>);

fn cut(scheduler: &Scheduler<Grid>, footprints: &[Footprint]) -> Result<Cut, Error> {
    let (mut agents, mut clocks) = (Vec::new(), Vec::new());
    for (i, &footprint) in footprints.iter().enumerate() {
        let id = AgentId(i as u32);
        agents.push(NewAgent { position: scheduler.position(id)?, footprint, world: 0 });
        clocks.push(scheduler.clock(id)?);
    }
    Ok((agents, clocks))
}

/// Goes on for so many clusters; who runs is picked by `random`.
fn go(
    scheduler: &mut Scheduler<Grid>,
    footprints: &[Footprint],
    random: &mut Random,
    clusters: u64,
) -> Result<(), Error> {
    let mut running: Vec<AgentId> = Vec::new();
    let mut ready = scheduler.ready();
    for _ in 0..clusters {
        scheduler.start(&ready)?;
        running.extend(&ready);
        let one = scheduler.cluster(running[random.below(running.len() as u64) as usize])?;
        let (group, rest): (Vec<_>, Vec<_>) =
            running.iter().partition(|id| scheduler.cluster(**id) == Ok(one));
        running = rest;
        let mut positions = Vec::new();
        for id in &group {
            let [x, y] = scheduler.position(*id)?;
            let speed = footprints[id.0 as usize].speed as i64;
            positions.push([x + random.between(-speed, speed) as i32, y]);
        }
        scheduler.finish(&group, &positions, &mut ready)?;
    }
    // Half of those who may go, go.
    let mut ready = scheduler.ready();
    let first = ready.iter().map(|id| scheduler.cluster(*id)).collect::<Result<Vec<_>, _>>()?;
    ready.retain(|id| {
        first.iter().position(|f| scheduler.cluster(*id) == Ok(*f)) < Some(first.len() / 2)
    });
    scheduler.start(&ready)
}

#[test]
fn a_run_goes_on_at_a_skewed_cut() -> Result<(), Error> {
    let mut skewed = 0;
    for seed in 0..200 {
        let mut random = Random(seed);
        let rule = random.pick(&[Rule::Conservative, Rule::Compatibility]);
        let grid = Grid::new(Metric::Chebyshev, None).unwrap();
        let mut agents = Vec::new();
        for _ in 0..random.between(2, 12) {
            let speed = random.between(0, 2) as f64;
            let (sight, reach) = (random.between(0, 4) as f64, speed + random.between(0, 2) as f64);
            let position = [random.between(0, 60) as i32, 0];
            agents.push(NewAgent {
                position,
                footprint: Footprint { sight, reach, speed },
                world: 0,
            });
        }
        let footprints: Vec<_> = agents.iter().map(|agent| agent.footprint).collect();
        let mut before = Scheduler::new(grid, rule, &agents, 0)?;
        let clusters = random.below(80);
        go(&mut before, &footprints, &mut random, clusters)?;
        let (agents, clocks) = cut(&before, &footprints)?;
        let after = Scheduler::resume(grid, rule, &agents, &clocks, 0)?;
        after.validate()?;
        for id in (0..agents.len() as u32).map(AgentId) {
            assert_eq!(after.clock(id), before.clock(id), "seed {seed}");
            assert_eq!(after.position(id), before.position(id), "seed {seed}");
            assert_eq!(after.blockers(id), before.blockers(id), "seed {seed}, agent {id}");
            let went = matches!(before.status(id)?, Status::Ready | Status::Running);
            assert_eq!(after.status(id)? == Status::Ready, went, "seed {seed}, agent {id}");
            assert_eq!(after.cluster(id), before.cluster(id), "seed {seed}, agent {id}");
        }
        // And a newcomer is welcome no earlier.
        let there = NewAgent { position: [30, 0], ..agents[0] };
        assert!(after.earliest_join(&there)? <= before.earliest_join(&there)?, "seed {seed}");
        skewed += u32::from(clocks.iter().max() > clocks.iter().min());
    }
    assert!(skewed > 20, "only {skewed} runs were skewed");
    Ok(())
}
