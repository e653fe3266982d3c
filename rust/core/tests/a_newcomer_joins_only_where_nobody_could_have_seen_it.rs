//! At the earliest step a newcomer may join, nobody has read anything it could affect from then on,
//! judged by where everybody really stood at every step; one step earlier it is refused. Where
//! nobody has been near, that is the frontier.

mod common;

use std::collections::BTreeMap;

use common::villager_at;
use headway_core::{AgentId, Error, Footprint, Grid, NewAgent, Rule, Scheduler, Status, Step};
use headway_proof::ground::{METRICS, distance};
use headway_proof::random::Random;

fn footprint(random: &mut Random) -> Footprint {
    let [sight, more, speed] = [5, 2, 2].map(|most| random.between(0, most) as f64);
    Footprint { sight, reach: speed + more, speed }
}

fn newcomer(random: &mut Random) -> NewAgent<[i32; 2]> {
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
        let mut new: Vec<_> = (0..6).map(|_| newcomer(&mut random)).collect();
        let mut scheduler = Scheduler::new(grid, Rule::Conservative, &new, 0)?;
        let mut stood: BTreeMap<(u32, Step), [i32; 2]> = BTreeMap::new();
        let mut newly = Vec::new();
        for _ in 0..60 {
            let ready = scheduler.ready();
            if random.chance(20) {
                let somebody = newcomer(&mut random);
                let at = scheduler.earliest_join(&somebody)? + random.below(9) as Step;
                scheduler.add(&somebody, Some(at), &mut newly)?;
                new.push(somebody);
                continue;
            }
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
        for id in (0..new.len() as u32).map(AgentId) {
            if scheduler.status(id)? == Status::Ready {
                stood.insert((id.0, scheduler.clock(id)?), scheduler.position(id)?);
            }
        }
        let agent = AgentId(new.len() as u32);
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
            let step = earliest - 1;
            assert_eq!(error, Error::JoinsTooEarly { agent, step, earliest }, "seed {seed}");
            refused += 1;
            tight += u32::from(affected(earliest - 1));
        } else {
            at_frontier += 1;
        }
        assert_eq!(scheduler.add(&somebody, None, &mut newly)?, (agent, earliest));
        scheduler.validate()?;
    }
    assert!(refused > 20 && at_frontier > 20 && tight > 10, "{refused} {at_frontier} {tight}");
    Ok(())
}

#[test]
fn one_who_joined_later_has_read_nothing_before() -> Result<(), Error> {
    let grid = Grid::new(METRICS[0], None).unwrap();
    let mut scheduler = Scheduler::new(grid, Rule::Conservative, &[villager_at(0, 0)], 0)?;
    let mut newly = Vec::new();
    // Agent 0 blocks it, so it has been told nothing.
    assert_eq!(scheduler.add(&villager_at(50, 0), Some(100), &mut newly)?, (AgentId(1), 100));
    assert_eq!(scheduler.earliest_join(&villager_at(52, 0))?, 0);
    assert_eq!(scheduler.add(&villager_at(52, 0), Some(20), &mut newly)?, (AgentId(2), 20));
    // Far from agent 0 somebody may start step 100 at once; what began by then could reach it.
    assert_eq!(scheduler.add(&villager_at(900, 0), Some(100), &mut newly)?, (AgentId(3), 100));
    assert_eq!(scheduler.status(AgentId(3))?, Status::Ready);
    assert_eq!(scheduler.earliest_join(&villager_at(904, 0))?, 101);
    assert_eq!(scheduler.earliest_join(&villager_at(905, 0))?, 100);
    assert_eq!(scheduler.earliest_join(&villager_at(906, 0))?, 99);
    assert_eq!(scheduler.earliest_join(&villager_at(930, 0))?, 75);
    // Having left, it reads no more.
    scheduler.remove(&[AgentId(3)], &mut newly)?;
    assert_eq!(scheduler.earliest_join(&villager_at(904, 0))?, 0);
    scheduler.validate()
}

#[test]
fn in_a_world_changed_in_place_nobody_joins_before_one_it_would_see_too_early() -> Result<(), Error>
{
    let grid = Grid::new(METRICS[0], None).unwrap();
    let mut scheduler = Scheduler::new(grid, Rule::Compatibility, &[villager_at(0, 0)], 0)?;
    let mut newly = Vec::new();
    assert_eq!(scheduler.add(&villager_at(50, 0), Some(40), &mut newly)?, (AgentId(1), 40));
    assert_eq!(scheduler.earliest_join(&villager_at(52, 0))?, 40);
    scheduler.remove(&[AgentId(1)], &mut newly)?;
    assert_eq!(scheduler.earliest_join(&villager_at(52, 0))?, 0);
    scheduler.validate()
}

#[test]
fn nobody_joins_behind_the_frontier() -> Result<(), Error> {
    for rule in [Rule::Conservative, Rule::Compatibility] {
        let grid = Grid::new(METRICS[0], None).unwrap();
        let mut scheduler = Scheduler::new(grid, rule, &[villager_at(0, 0)], 0)?;
        let mut newly = Vec::new();
        for _ in 0..5 {
            scheduler.start(&[AgentId(0)])?;
            scheduler.finish(&[AgentId(0)], &[[0, 0]], &mut newly)?;
        }
        // Nobody could see it so far away, but what is behind the frontier cannot change.
        let far = villager_at(1000, 0);
        assert_eq!(scheduler.earliest_join(&far)?, 5);
        let refused = Error::JoinsTooEarly { agent: AgentId(1), step: 4, earliest: 5 };
        assert_eq!(scheduler.add(&far, Some(4), &mut newly), Err(refused));
        assert_eq!(scheduler.add(&far, None, &mut newly)?, (AgentId(1), 5));
        assert_eq!(scheduler.frontier(), 5);
    }
    Ok(())
}

#[test]
fn what_a_leaver_has_read_keeps_newcomers_away() -> Result<(), Error> {
    let grid = Grid::new(METRICS[0], None).unwrap();
    let villagers = [villager_at(0, 0), villager_at(1000, 0)];
    let mut scheduler = Scheduler::new(grid, Rule::Conservative, &villagers, 0)?;
    let mut newly = Vec::new();
    for _ in 0..10 {
        scheduler.start(&[AgentId(0)])?;
        scheduler.finish(&[AgentId(0)], &[[0, 0]], &mut newly)?;
    }
    let earliest = |scheduler: &Scheduler<Grid>| {
        [3, 6, 9, 900].map(|x| scheduler.earliest_join(&villager_at(x, 0)).unwrap())
    };
    // It has been told that it may go on with step 10, and leaves instead.
    assert_eq!(earliest(&scheduler), [11, 9, 6, 0]);
    scheduler.remove(&[AgentId(0)], &mut newly)?;
    assert_eq!(earliest(&scheduler), [10, 9, 6, 0]);
    scheduler.validate()
}
