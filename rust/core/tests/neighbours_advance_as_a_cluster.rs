//! In a world changed in place, a chain of neighbours starts and finishes its step as one; the
//! next one along, a tile too far to be coupled, goes on its own.

mod common;

use common::villager_at;
use headway_core::{AgentId, Error, Grid, Metric, Rule, Scheduler};

#[test]
fn neighbours_advance_as_a_cluster() -> Result<(), Error> {
    let [a, b, c, lone] = [0, 1, 2, 3].map(AgentId);
    let villagers = [0, 5, 10, 16].map(|x| villager_at(x, 0));
    let grid = Grid::new(Metric::Chebyshev, None).unwrap();
    let mut scheduler = Scheduler::new(grid, Rule::Compatibility, &villagers, 0)?;
    assert_eq!(scheduler.ready(), [a, b, c, lone]);
    assert_eq!([a, b, c, lone].map(|id| scheduler.cluster(id).unwrap()), [a, a, a, lone]);
    for part in [&[a, b][..], &[c], &[lone, a, c]] {
        let partial = scheduler.start(part);
        assert!(matches!(partial, Err(Error::PartialCluster { size: 3, .. })), "{partial:?}");
    }
    let mut newly = Vec::new();
    scheduler.start(&[c, lone, a, b])?;
    scheduler.finish(&[lone], &[[16, 0]], &mut newly)?;
    assert_eq!(newly, [], "six tiles from somebody one step behind");
    let half = scheduler.finish(&[b, a], &[[5, 0], [0, 0]], &mut newly);
    assert!(matches!(half, Err(Error::PartialCluster { given: 2, size: 3, .. })), "{half:?}");
    // They part: c comes to the lone one, the others stay together.
    scheduler.finish(&[c, b, a], &[[11, 0], [5, 0], [0, 0]], &mut newly)?;
    assert_eq!(newly, [a, b, c, lone]);
    assert_eq!([a, b, c, lone].map(|id| scheduler.cluster(id).unwrap()), [a, a, c, c]);
    scheduler.validate()
}
