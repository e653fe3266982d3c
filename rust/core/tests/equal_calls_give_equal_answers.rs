//! The same calls give the same answers in the same order, every stored fact included, on a new
//! scheduler as on a clone taken halfway.

mod common;

use common::villager_at;
use headway_core::{AgentId, Error, Grid, Metric, Rule, Scheduler};
use headway_proof::random::Random;

/// Does something at random; returns all that was answered.
fn act(scheduler: &mut Scheduler<Grid>, random: &mut Random) -> Result<String, Error> {
    let mut newly = Vec::new();
    let at = |random: &mut Random| [0; 2].map(|_: i32| random.between(-20, 20) as i32);
    if random.chance(30) {
        let [x, y] = at(random);
        let joined = scheduler.add(&villager_at(x, y), None, &mut newly);
        return Ok(format!("{joined:?} {newly:?}"));
    }
    let ready = scheduler.ready();
    if ready.len() > 4 && random.chance(40) {
        let gone = [ready[0], ready[3]];
        scheduler.remove(&gone, &mut newly)?;
        return Ok(format!("{newly:?}"));
    }
    let Some(chosen) = ready.first() else { return Ok(String::new()) };
    let label = scheduler.cluster(*chosen)?;
    let mut cluster = ready.clone();
    cluster.retain(|&id| scheduler.cluster(id) == Ok(label));
    scheduler.start(&cluster)?;
    let mut to = Vec::new();
    for &id in &cluster {
        to.push(scheduler.position(id)?.map(|x| x + random.between(-1, 1) as i32));
    }
    scheduler.finish(&cluster, &to, &mut newly)?;
    Ok(format!("{newly:?} {ready:?} {:?}", scheduler.held_up(AgentId(0))))
}

#[test]
fn equal_calls_give_equal_answers() -> Result<(), Error> {
    for rule in [Rule::Conservative, Rule::Compatibility] {
        let make = || {
            let mut random = Random(5);
            let villagers: Vec<_> = (0..40)
                .map(|_| {
                    villager_at(random.between(-20, 20) as i32, random.between(-20, 20) as i32)
                })
                .collect();
            Scheduler::new(Grid::new(Metric::Chebyshev, None).unwrap(), rule, &villagers, 300)
        };
        let (mut one, mut two) = (make()?, make()?);
        let (mut random, mut random_two) = (Random(6), Random(6));
        for call in 0..1000 {
            assert_eq!(act(&mut one, &mut random)?, act(&mut two, &mut random_two)?, "{call}");
            if call == 500 {
                two = one.clone();
            }
        }
        assert_eq!(format!("{one:?}"), format!("{two:?}"));
        assert!(one.frontier() > 5, "nothing happened");
        one.validate()?;
    }
    Ok(())
}
