//! At the earliest step a newcomer may join, nobody has read anything it could affect from then on,
//! judged by where everybody really stood at every step; one step earlier it is refused. Where
//! nobody has been near, that is the frontier.

mod common;

use std::collections::BTreeMap;

use common::{METRICS, Random, distance};
use headway_core::{AgentId, Error, Footprint, Grid, NewAgent, Rule, Scheduler, Status, Step};

fn footprint(random: &mut Random) -> Footprint {
    let [sight, more, speed] = [5, 2, 2].map(|most| random.between(0, most) as f64);
    Footprint { sight, reach: speed + more, speed }
}

fn newcomer(random: &mut Random) -> NewAgent<i32> {
    let position = [0; 2].map(|_: i32| random.between(-40, 40) as i32);
    NewAgent { position, footprint: footprint(random), world: 0 }
}

#[test]
fn a_newcomer_joins_only_where_nobody_could_have_seen_it() -> Result<(), Error> {
    let (mut refused, mut at_frontier, mut tight) = (0, 0, 0);
    for seed in 0..200 {
        let mut random = Random(seed);
        let metric = METRICS[random.below(3) as usize];
        let grid = Grid::new(metric, None).unwrap();
        let new: Vec<_> = (0..6).map(|_| newcomer(&mut random)).collect();
        let mut scheduler = Scheduler::new(grid, Rule::Conservative, &new, 0)?;
        let mut stood: BTreeMap<(u32, Step), [i32; 2]> = BTreeMap::new();
        let mut newly = Vec::new();
        for _ in 0..60 {
            let ready = scheduler.ready();
            // The first is slow, so that the others lead.
            let chosen = ready[random.below(ready.len() as u64) as usize];
            if chosen == AgentId(0) && !random.chance(6) && ready.len() > 1 {
                continue;
            }
            let position = scheduler.position(chosen)?;
            stood.insert((chosen.0, scheduler.clock(chosen)?), position);
            scheduler.start(&[chosen])?;
            let speed = new[chosen.0 as usize].footprint.speed as i64;
            let along = random.below(2) as usize;
            let mut to = position;
            to[along] += random.between(-speed, speed) as i32;
            scheduler.finish(&[chosen], &[to], &mut newly)?;
        }
        for id in (0..6).map(AgentId) {
            if scheduler.status(id)? == Status::Ready {
                stood.insert((id.0, scheduler.clock(id)?), scheduler.position(id)?);
            }
        }
        let somebody = newcomer(&mut random);
        let earliest = scheduler.earliest_join(&somebody)?;
        let q = somebody.position.map(f64::from);
        let Footprint { reach, speed, .. } = somebody.footprint;
        let affected = |join: Step| {
            stood.iter().any(|(&(agent, step), &position)| {
                let a = new[agent as usize].footprint;
                let bound = match step.checked_sub(join) {
                    None => return false,
                    Some(0) => a.sight,
                    Some(lag) => a.sight.max(a.speed) + reach + f64::from(lag - 1) * speed,
                };
                distance(metric, None, position.map(f64::from), q) <= bound
            })
        };
        assert!(!affected(earliest), "seed {seed}");
        if earliest > scheduler.frontier() {
            let error = scheduler.add(&somebody, Some(earliest - 1), &mut newly).unwrap_err();
            let (agent, step) = (AgentId(6), earliest - 1);
            assert_eq!(error, Error::JoinsTooEarly { agent, step, earliest }, "seed {seed}");
            refused += 1;
            tight += u32::from(affected(earliest - 1));
        } else {
            at_frontier += 1;
        }
        assert_eq!(scheduler.add(&somebody, None, &mut newly)?, (AgentId(6), earliest));
        scheduler.validate()?;
    }
    assert!(refused > 20 && at_frontier > 20 && tight > 10, "{refused} {at_frontier} {tight}");
    Ok(())
}
