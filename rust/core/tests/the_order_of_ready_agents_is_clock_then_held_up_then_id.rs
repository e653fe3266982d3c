//! Ready agents come in the order of their clocks; of equal clocks those first that hold up most,
//! directly or through others; then by id.

mod common;

use common::villager_at;
use headway_core::{AgentId, Error, Grid, Metric, Rule, Scheduler};

fn ids<const N: usize>(ids: [u32; N]) -> [AgentId; N] {
    ids.map(AgentId)
}

#[test]
fn the_order_of_ready_agents_is_clock_then_held_up_then_id() -> Result<(), Error> {
    // 5 waits for 2; 6 and 7 wait for 3; 8 waits for 4, and 9 for 8.
    let places = [1000, 0, 100, 200, 300, 103, 203, 197, 304, 308];
    let grid = Grid::new(Metric::Chebyshev, None).unwrap();
    let villagers = places.map(|x| villager_at(x, 0));
    let mut scheduler = Scheduler::new(grid, Rule::Conservative, &villagers, 0)?;
    let mut newly = Vec::new();
    let stay =
        |ids: &[AgentId]| ids.iter().map(|id| [places[id.0 as usize], 0]).collect::<Vec<_>>();
    let first = ids([9, 0, 8, 7, 6, 5]);
    scheduler.start(&first)?;
    scheduler.finish(&first, &stay(&first), &mut newly)?;
    assert_eq!(newly, ids([0, 9]));
    scheduler.start(&ids([9]))?;
    scheduler.finish(&ids([9]), &[[308, 0]], &mut newly)?;
    assert_eq!(newly, []);
    let held_up = [0, 1, 2, 3, 4, 8].map(|id| scheduler.held_up(AgentId(id)).unwrap());
    assert_eq!(held_up, [0, 0, 1, 2, 2, 1]);
    assert_eq!(scheduler.ready(), ids([3, 4, 2, 1, 0]));
    // The same order for those newly ready: 8 holds up 9, the others nobody.
    let slow = ids([2, 3, 4]);
    scheduler.start(&slow)?;
    scheduler.finish(&slow, &stay(&slow), &mut newly)?;
    assert_eq!(newly, ids([8, 2, 3, 4, 5, 6, 7]));
    Ok(())
}

#[test]
fn whoever_is_farther_behind_comes_before_whoever_holds_up_more() -> Result<(), Error> {
    let grid = Grid::new(Metric::Chebyshev, None).unwrap();
    let villagers = [0, 3, 1000].map(|x| villager_at(x, 0));
    let mut scheduler = Scheduler::new(grid, Rule::Conservative, &villagers, 0)?;
    let mut newly = Vec::new();
    // 0 and 1 take a step, 1 another one, and waits for 0; 2 has not begun.
    scheduler.start(&ids([0, 1]))?;
    scheduler.finish(&ids([0, 1]), &[[0, 0], [3, 0]], &mut newly)?;
    scheduler.start(&ids([1]))?;
    scheduler.finish(&ids([1]), &[[3, 0]], &mut newly)?;
    assert_eq!([0, 1, 2].map(|id| scheduler.held_up(AgentId(id)).unwrap()), [1, 0, 0]);
    assert_eq!(scheduler.ready(), ids([2, 0]));
    Ok(())
}
