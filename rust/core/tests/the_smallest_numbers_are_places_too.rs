//! On a plane, those who stand on the smallest negative numbers there are have a cell of the index
//! that holds them, so that they are found.

use headway_core::{AgentId, Error, Footprint, History, Metric, NewAgent, Plane, Rule, Scheduler};

const POINT: Footprint = Footprint { sight: 0.0, reach: 0.0, speed: 0.0 };

#[test]
fn two_of_them_at_one_place_block_each_other() -> Result<(), Error> {
    for x in [-5e-324, -1e-310, -1e-300, 5e-324] {
        let plane = Plane::new(Metric::Manhattan, None).unwrap();
        let at = |x, footprint| NewAgent { position: [x, x], footprint, world: 0 };
        // The one who sees far makes the cells large, the one far away the tree.
        let far = Footprint { sight: 1e9, ..POINT };
        let agents = [at(x, POINT), at(x, POINT), at(-1e8, POINT), at(9.0, far)];
        let mut scheduler = Scheduler::new(plane, Rule::Conservative, &agents, 0)?;
        scheduler.start(&[AgentId(1)])?;
        scheduler.finish(&[AgentId(1)], &[[x, x]], &mut Vec::new())?;
        assert_eq!(scheduler.blockers(AgentId(1))?, [AgentId(0)], "at {x}");
        let history = History::new(plane, &[[x, x], [x, x], [1e8, 0.0]], 1e6)?;
        let mut found = Vec::new();
        history.neighbours(AgentId(0), 0, 0.0, &mut found)?;
        assert_eq!(found, [AgentId(1)], "at {x}");
    }
    Ok(())
}
