//! Fifty agents wait for one straggler. Each of its steps examines again only those that could be
//! free by then, which the story tells; far fewer than all of them at each step.

mod common;

use common::villager_at;
use headway_core::{AgentId, Error, Grid, Happening, Metric, Rule, Scheduler};

const WAITERS: u32 = 50;
const CLOCK: u32 = 60;

#[test]
fn a_straggler_wakes_only_those_whose_time_has_come() -> Result<(), Error> {
    let grid = Grid::new(Metric::Chebyshev, None).unwrap();
    let straggler = AgentId(0);
    let capacity = 1_000_000;
    let mut scheduler = Scheduler::new(grid, Rule::Conservative, &[villager_at(0, 0)], capacity)?;
    let mut newly = Vec::new();
    for x in 6..6 + WAITERS as i32 {
        scheduler.add(&villager_at(x, 0), Some(CLOCK), &mut newly)?;
        assert_eq!(newly, []);
    }
    assert_eq!(scheduler.held_up(straggler)?, WAITERS);
    let waiters = || (1..=WAITERS).map(AgentId);
    let mut examined = 0;
    for clock in 1..=CLOCK {
        let mut due = Vec::new();
        for id in waiters() {
            if let Some((witness, wake_at)) = scheduler.witness(id)? {
                assert_eq!(witness, straggler);
                assert!(wake_at >= clock);
                due.extend((wake_at == clock).then_some(id));
            }
        }
        let next_number = last_number(&scheduler)? + 1;
        scheduler.start(&[straggler])?;
        scheduler.finish(&[straggler], &[[0, 0]], &mut newly)?;
        let mut released = Vec::new();
        for id in waiters() {
            let anew = |entry: &headway_core::StoryEntry| {
                let by_straggler = match entry.happening {
                    Happening::Released { witness, .. } => witness == straggler,
                    _ => false,
                };
                entry.number >= next_number && by_straggler
            };
            released.extend(scheduler.story(id)?.iter().filter(|e| anew(e)).map(|_| id));
        }
        assert_eq!(released, due, "at clock {clock}");
        examined += due.len() as u32;
        // Everybody at least x = 4 + lag + 1 away is free, and only those.
        for id in waiters() {
            let free = id.0 + 5 > 4 + (CLOCK - clock) || clock == CLOCK;
            assert_eq!(scheduler.blockers(id)?.is_empty(), free, "{id} at clock {clock}");
            assert_eq!(scheduler.witness(id)?.is_none(), free);
        }
    }
    assert_eq!(scheduler.held_up(straggler)?, 0);
    // The wait of each is halved at every waking; all of them at each step would be 1500.
    assert!((WAITERS..WAITERS * 6).contains(&examined), "{examined} examinations");
    scheduler.validate()
}

fn last_number(scheduler: &Scheduler<Grid>) -> Result<u64, Error> {
    let mut last = 0;
    for id in (0..=WAITERS).map(AgentId) {
        last = last.max(scheduler.story(id)?.last().map_or(0, |entry| entry.number));
    }
    Ok(last)
}
