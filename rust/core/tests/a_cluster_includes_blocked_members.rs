//! An agent that nobody blocks is held while a neighbour at its step is blocked: starting without
//! it would change what the neighbour has yet to read.

mod common;

use common::villager_at;
use headway_core::{AgentId, Error, Grid, Happening, Metric, Rule, Scheduler, Status};

#[test]
fn a_cluster_includes_blocked_members() -> Result<(), Error> {
    let [straggler, blocked, held] = [0, 1, 2].map(AgentId);
    let villagers = [0, 6, 11].map(|x| villager_at(x, 0));
    let grid = Grid::new(Metric::Chebyshev, None).unwrap();
    let mut scheduler = Scheduler::new(grid, Rule::Compatibility, &villagers, 100)?;
    let mut newly = Vec::new();
    scheduler.start(&[straggler, blocked, held])?;
    scheduler.finish(&[blocked, held], &[[6, 0], [11, 0]], &mut newly)?;
    assert_eq!(newly, []);
    assert_eq!(scheduler.status(blocked)?, Status::Blocked);
    assert_eq!(scheduler.status(held)?, Status::Held);
    assert_eq!(scheduler.blockers(held)?, []);
    assert_eq!(scheduler.story(held)?.last().unwrap().happening, Happening::Unblocked);
    let refused = Error::Blocked { agent: held, clock: 1, witness: None };
    assert_eq!(scheduler.start(&[held]), Err(refused));
    scheduler.finish(&[straggler], &[[0, 0]], &mut newly)?;
    assert_eq!(newly, [straggler, blocked, held]);
    assert_eq!(scheduler.cluster(held)?, blocked);
    // Were the blocked one to leave instead, the held one would be alone and free.
    let mut other = Scheduler::new(grid, Rule::Compatibility, &villagers, 0)?;
    other.start(&[straggler, blocked, held])?;
    other.finish(&[blocked, held], &[[6, 0], [11, 0]], &mut newly)?;
    other.remove(&[blocked], &mut newly)?;
    assert_eq!(newly, [held]);
    other.validate()?;
    scheduler.validate()
}
