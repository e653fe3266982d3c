//! Somebody far from a straggler goes on for as long as the straggler cannot have come near; the
//! neighbour of the straggler waits at once.

mod common;

use common::villager_at;
use headway_core::{AgentId, Error, Grid, Metric, Rule, Scheduler, Status};

#[test]
fn agent_far_away_does_not_wait() -> Result<(), Error> {
    let (straggler, near, far) = (AgentId(0), AgentId(1), AgentId(2));
    let villagers = [villager_at(0, 0), villager_at(-5, 0), villager_at(50, 0)];
    let grid = Grid::new(Metric::Chebyshev, None).unwrap();
    let mut scheduler = Scheduler::new(grid, Rule::Conservative, &villagers, 0)?;
    let mut newly = Vec::new();
    scheduler.start(&[straggler, near, far])?;
    scheduler.finish(&[near], &[[-5, 0]], &mut newly)?;
    assert_eq!(newly, [], "5 <= sight + reach: it must see what the straggler does");
    // At lag 46 the straggler can have come 45 tiles, and the next one would be seen: 50 <= 4 + 46.
    for finished in 1..=45 {
        scheduler.finish(&[far], &[[50, 0]], &mut newly)?;
        assert_eq!(newly, [far], "after step {finished}");
        scheduler.start(&[far])?;
    }
    scheduler.finish(&[far], &[[50, 0]], &mut newly)?;
    assert_eq!(newly, []);
    assert_eq!(scheduler.status(far)?, Status::Blocked);
    assert_eq!(scheduler.clock(far)?, 46);
    // The straggler's next step lets both go.
    scheduler.finish(&[straggler], &[[0, 0]], &mut newly)?;
    assert_eq!(newly, [straggler, near, far]);
    scheduler.validate()
}
