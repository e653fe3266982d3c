//! Everybody stands on one tile, and whoever has the smallest clock may go, however far ahead the
//! others are.

mod common;

use common::villager_at;
use headway_core::{AgentId, Error, Grid, Metric, Rule, Scheduler};
use headway_proof::random::Random;

#[test]
fn agents_ahead_never_block() -> Result<(), Error> {
    for rule in [Rule::Conservative, Rule::Compatibility] {
        let grid = Grid::new(Metric::Chebyshev, None).unwrap();
        let mut scheduler = Scheduler::new(grid, rule, &[villager_at(0, 0)], 0)?;
        let mut random = Random(1);
        let mut newly = Vec::new();
        // Each newcomer joins behind all others, far away, and walks up to them.
        for lead in (1..30).rev() {
            let far = villager_at(1000 * (30 - lead as i32), 0);
            let (_, step) = scheduler.add(&far, Some(lead), &mut newly)?;
            assert_eq!(step, lead);
        }
        for _ in 0..2000 {
            let frontier = scheduler.frontier();
            for id in (0..scheduler.agents_joined() as u32).map(AgentId) {
                let clock = scheduler.clock(id)?;
                for blocker in scheduler.blockers(id)? {
                    assert!(scheduler.clock(blocker)? < clock, "{blocker} blocks {id}");
                }
                if clock == frontier {
                    assert_eq!(scheduler.blockers(id)?, []);
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
        scheduler.validate()?;
    }
    Ok(())
}
