//! A bound of nothing still holds for those on one spot: who neither sees nor reaches beyond where
//! it stands waits for whoever stands there too, and for nobody else.

use headway_core::{
    AgentId, Error, Footprint, Graph, Grid, NewAgent, Plane, Rule, Scheduler, Space,
};
use headway_proof::ground::METRICS;

const POINT: Footprint = Footprint { sight: 0.0, reach: 0.0, speed: 0.0 };

/// Two on the first place, one each on the others.
fn meet<S: Space>(space: S, [spot, beside, far]: [S::Position; 3]) -> Result<(), Error> {
    let [slow, fast] = [0, 1].map(AgentId);
    let new =
        [spot, spot, beside, far].map(|position| NewAgent { position, footprint: POINT, world: 0 });
    let mut newly = Vec::new();
    let mut versioned = Scheduler::new(space.clone(), Rule::Conservative, &new, 0)?;
    versioned.start(&[fast])?;
    versioned.finish(&[fast], &[spot], &mut newly)?;
    assert_eq!(newly, []);
    assert_eq!(versioned.blockers(fast)?, [slow]);
    versioned.validate()?;
    let mut in_place = Scheduler::new(space, Rule::Compatibility, &new, 0)?;
    let alone = Error::PartialCluster { agent: fast, given: 1, size: 2 };
    assert_eq!(in_place.start(&[fast]), Err(alone));
    in_place.validate()
}

#[test]
fn two_on_one_spot_meet_however_little_they_reach() -> Result<(), Error> {
    for metric in METRICS {
        let grid = Grid::new(metric, None).unwrap();
        meet(grid, [[5, 5], [5, 6], [-1000, 1000]])?;
        let plane = Plane::new(metric, None).unwrap();
        meet(plane, [[0.1, 5.0], [0.1, 5.000_001], [-1000.0, 1000.0]])?;
    }
    meet(Graph::new(&[0, 1, 2, 2], &[1, 2]).unwrap(), [1, 0, 2])
}
