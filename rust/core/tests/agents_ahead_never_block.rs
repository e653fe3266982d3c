//! Villagers walk to one tile from all sides, far ahead of each other: whoever has the smallest
//! clock may always go, and nobody is ever blocked by somebody ahead, however near.

mod common;

use common::villager_at;
use headway_core::{AgentId, Error, Grid, Metric, Rule, Scheduler};
use headway_proof::random::Random;

/// Agents, and how far apart they are at first: farther than any of their leads lets them reach.
const AGENTS: u32 = 12;
const APART: i32 = 20;

#[test]
fn agents_ahead_never_block() -> Result<(), Error> {
    for rule in [Rule::Conservative, Rule::Compatibility] {
        let grid = Grid::new(Metric::Chebyshev, None).unwrap();
        let mut scheduler = Scheduler::new(grid, rule, &[villager_at(0, 0)], 0)?;
        let mut random = Random(1);
        let mut newly = Vec::new();
        for lead in (1..AGENTS).rev() {
            let far = villager_at(APART * (AGENTS - lead) as i32, 0);
            let (_, step) = scheduler.add(&far, Some(lead), &mut newly)?;
            assert_eq!(step, lead);
        }
        let ids = || (0..AGENTS).map(AgentId);
        let mut near_and_ahead = 0;
        for _ in 0..6000 {
            let frontier = scheduler.frontier();
            for id in ids() {
                let clock = scheduler.clock(id)?;
                for blocker in scheduler.blockers(id)? {
                    assert!(scheduler.clock(blocker)? < clock, "{blocker} blocks {id}");
                }
                if clock == frontier {
                    assert_eq!(scheduler.blockers(id)?, []);
                }
                // Whom it would wait for if they were as far behind.
                for other in ids() {
                    let lead = scheduler.clock(other)?.saturating_sub(clock);
                    let [x, there] = [id, other].map(|id| scheduler.position(id).unwrap()[0]);
                    near_and_ahead += u32::from(lead > 0 && x.abs_diff(there) <= 4 + lead);
                }
            }
            let ready = scheduler.ready();
            let chosen = ready[random.below(ready.len() as u64) as usize];
            let label = scheduler.cluster(chosen)?;
            let mut cluster = ready;
            cluster.retain(|&id| scheduler.cluster(id) == Ok(label));
            scheduler.start(&cluster)?;
            let to: Vec<_> = cluster
                .iter()
                .map(|&id| scheduler.position(id).map(|[x, y]| [(x - 1).max(0), y]))
                .collect::<Result<_, _>>()?;
            scheduler.finish(&cluster, &to, &mut newly)?;
        }
        assert!(ids().all(|id| scheduler.position(id) == Ok([0, 0])), "all have come together");
        assert!(near_and_ahead > 20, "somebody was near and ahead {near_and_ahead} times");
        scheduler.validate()?;
    }
    Ok(())
}
