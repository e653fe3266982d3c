//! Somebody may join any number of steps ahead; the last step there is ends the run with an error,
//! not with an overflow.

mod common;

use common::villager_at;
use headway_core::{AgentId, Error, Grid, Metric, Rule, Scheduler};

#[test]
fn clocks_far_apart_cost_nothing() -> Result<(), Error> {
    let end = u32::MAX - 1;
    let (near, far) = (AgentId(0), AgentId(1));
    let grid = Grid::new(Metric::Chebyshev, None).unwrap();
    let mut scheduler = Scheduler::new(grid, Rule::Conservative, &[villager_at(0, 0)], 0)?;
    let mut newly = Vec::new();
    // A counter for every step between them would take 16 GB.
    assert_eq!(scheduler.add(&villager_at(9, 0), Some(end), &mut newly)?, (far, end));
    assert_eq!(newly, [], "by then the other can have come near");
    assert_eq!(scheduler.frontier(), 0);
    scheduler.validate()?;
    scheduler.remove(&[near], &mut newly)?;
    assert_eq!(newly, [far]);
    assert_eq!(scheduler.frontier(), end);
    scheduler.start(&[far])?;
    let last = scheduler.finish(&[far], &[[9, 0]], &mut newly);
    assert_eq!(last, Err(Error::TooMany { what: "steps", limit: end }));
    // The one who is running its last step may have seen a newcomer at that step.
    let late = scheduler.add(&villager_at(9, 0), None, &mut newly);
    assert_eq!(late, Err(Error::TooMany { what: "steps", limit: end }));
    scheduler.validate()
}
