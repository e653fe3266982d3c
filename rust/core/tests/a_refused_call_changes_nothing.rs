//! Every kind of refusal leaves the scheduler as it was, also where the fault comes last in a
//! batch, and leaves the caller's list of newly ready agents alone.

mod common;

use common::{VILLAGER, villager_at};
use headway_core::{
    AgentId, Error, Footprint, Grid, Metric, NewAgent, Plane, PositionFault, Rule, Scheduler, Space,
};

fn ids<const N: usize>(ids: [u32; N]) -> [AgentId; N] {
    ids.map(AgentId)
}

/// All that a caller can see.
fn observe<S: Space>(scheduler: &Scheduler<S>) -> String {
    let agents = (0..scheduler.agents_joined() as u32).map(AgentId).map(|id| {
        (
            (scheduler.status(id), scheduler.clock(id), scheduler.position(id)),
            (scheduler.witness(id), scheduler.held_up(id), scheduler.cluster(id)),
            (scheduler.blockers(id), scheduler.story(id)),
        )
    });
    let agents: Vec<_> = agents.collect();
    format!("{:?} {} {agents:?}", scheduler.ready(), scheduler.frontier())
}

/// 0, 1: a ready cluster. 2: ready. 3: has left. 4: running. 5: waits for 6, which is running.
/// 7, 8: a running cluster. 9: running, next to nobody.
fn town() -> Result<Scheduler<Grid>, Error> {
    let grid = Grid::new(Metric::Chebyshev, Some([1000, 1000])).unwrap();
    let places = [0, 3, 100, 200, 300, 406, 400, 500, 503, 600];
    let villagers = places.map(|x| villager_at(x, 0));
    let mut scheduler = Scheduler::new(grid, Rule::Compatibility, &villagers, 1000)?;
    let mut newly = Vec::new();
    scheduler.remove(&ids([3]), &mut newly)?;
    scheduler.start(&ids([4, 5, 6, 7, 8, 9]))?;
    scheduler.finish(&ids([5]), &[[406, 0]], &mut newly)?;
    assert_eq!(newly, []);
    Ok(scheduler)
}

type Call = fn(&mut Scheduler<Grid>, &mut Vec<AgentId>) -> Result<(), Error>;

fn add(
    s: &mut Scheduler<Grid>,
    newly: &mut Vec<AgentId>,
    new: NewAgent<[i32; 2]>,
) -> Result<(), Error> {
    s.add(&new, None, newly).map(|_| ())
}

const VILLAGER_SEES_FARTHER: Footprint = Footprint { sight: 5.0, ..VILLAGER };

#[test]
fn a_refused_call_changes_nothing() -> Result<(), Error> {
    let far = |world| NewAgent { world, ..villager_at(700, 0) };
    assert_eq!(far(0).world, 0);
    let calls: Vec<(&str, Call)> = vec![
        ("UnknownAgent", |s, _| s.start(&ids([2, 99]))),
        ("AgentLeft", |s, _| s.start(&ids([2, 3]))),
        ("Duplicate", |s, _| s.start(&ids([2, 2]))),
        ("Blocked", |s, _| s.start(&ids([2, 5]))),
        ("Running", |s, _| s.start(&ids([2, 4]))),
        ("PartialCluster", |s, _| s.start(&ids([2, 1]))),
        ("UnknownAgent", |s, n| s.finish(&ids([4, 99]), &[[300, 0], [0, 0]], n)),
        ("AgentLeft", |s, n| s.finish(&ids([4, 3]), &[[300, 0], [200, 0]], n)),
        ("Duplicate", |s, n| s.finish(&ids([4, 4]), &[[300, 0], [301, 0]], n)),
        ("NotRunning", |s, n| s.finish(&ids([4, 2]), &[[300, 0], [100, 0]], n)),
        ("NotRunning", |s, n| s.finish(&ids([4, 5]), &[[300, 0], [406, 0]], n)),
        ("PartialCluster", |s, n| s.finish(&ids([4, 8]), &[[300, 0], [503, 0]], n)),
        ("OverSpeed", |s, n| s.finish(&ids([4, 9]), &[[300, 0], [602, 0]], n)),
        ("BadPosition", |s, n| s.finish(&ids([4, 9]), &[[300, 0], [600, -1]], n)),
        ("BadPosition", |s, n| s.finish(&ids([4, 9]), &[[300, 0], [600, 1000]], n)),
        ("BadPosition", |s, n| s.finish(&ids([4, 9]), &[[300, 0], [i32::MIN, i32::MAX]], n)),
        ("UnknownAgent", |s, n| s.remove(&ids([2, 99]), n)),
        ("AgentLeft", |s, n| s.remove(&ids([2, 3]), n)),
        ("Duplicate", |s, n| s.remove(&ids([2, 2]), n)),
        ("Running", |s, n| s.remove(&ids([2, 4]), n)),
        ("BadPosition", |s, n| add(s, n, villager_at(1000, 0))),
        ("BadFootprint", |s, n| {
            add(s, n, NewAgent { footprint: VILLAGER_SEES_FARTHER, ..villager_at(700, 0) })
        }),
        ("BadFootprint", |s, n| {
            let footprint = Footprint { sight: 0.5, ..VILLAGER };
            add(s, n, NewAgent { footprint, ..villager_at(700, 0) })
        }),
        ("BadFootprint", |s, n| {
            let footprint = Footprint { reach: 0.0, ..VILLAGER };
            add(s, n, NewAgent { footprint, ..villager_at(700, 0) })
        }),
        ("BadFootprint", |s, n| {
            let footprint = Footprint { sight: f64::NAN, ..VILLAGER };
            add(s, n, NewAgent { footprint, ..villager_at(700, 0) })
        }),
        ("TooMany", |s, n| add(s, n, NewAgent { world: 1 << 24, ..villager_at(700, 0) })),
        ("TooMany", |s, n| s.add(&villager_at(700, 0), Some(u32::MAX), n).map(|_| ())),
        ("JoinsTooEarly", |s, n| s.add(&villager_at(408, 0), Some(0), n).map(|_| ())),
        ("JoinsAhead", |s, n| s.add(&villager_at(395, 0), Some(2), n).map(|_| ())),
    ];
    let mut scheduler = town()?;
    let before = observe(&scheduler);
    for (i, (variant, call)) in calls.into_iter().enumerate() {
        let mut newly = vec![AgentId(77)];
        let error = call(&mut scheduler, &mut newly).expect_err(variant);
        assert!(format!("{error:?}").starts_with(variant), "call {i}: {error:?} is no {variant}");
        assert!(error.to_string().len() > 20, "{error}");
        assert_eq!(newly, ids([77]), "call {i}: {error}");
        assert_eq!(observe(&scheduler), before, "call {i}: {error}");
        scheduler.validate()?;
    }
    // And it still works.
    let mut newly = Vec::new();
    scheduler.start(&ids([2, 1, 0]))?;
    scheduler.finish(&ids([6, 4]), &[[400, 0], [301, 0]], &mut newly)?;
    assert_eq!(newly, ids([4, 5, 6]));
    scheduler.validate()
}

#[test]
fn real_coordinates_must_be_finite_and_near() -> Result<(), Error> {
    let plane = Plane::new(Metric::Euclidean, None).unwrap();
    let at = |x| NewAgent { position: [x, 0.0], footprint: VILLAGER, world: 0 };
    let mut scheduler = Scheduler::new(plane, Rule::Conservative, &[at(0.0)], 10)?;
    scheduler.start(&ids([0]))?;
    let before = observe(&scheduler);
    let far = 1.000_1e8;
    for x in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, far, -far] {
        let mut newly = vec![AgentId(77)];
        let finished = scheduler.finish(&ids([0]), &[[x, 0.0]], &mut newly);
        let fault =
            if x.is_finite() { PositionFault::TooFar(1e8) } else { PositionFault::NotFinite };
        assert!(
            matches!(finished, Err(Error::BadPosition { fault: found, .. }) if found == fault),
            "{finished:?}"
        );
        assert!(scheduler.add(&at(x), None, &mut newly).is_err());
        assert_eq!((newly, observe(&scheduler)), (vec![AgentId(77)], before.clone()));
    }
    Ok(())
}

#[test]
fn a_move_is_limited_by_speed_whatever_the_reach() -> Result<(), Error> {
    for rule in [Rule::Conservative, Rule::Compatibility] {
        let grid = Grid::new(Metric::Chebyshev, None).unwrap();
        let footprint = Footprint { sight: 5.0, reach: 3.0, speed: 2.0 };
        let thrower = NewAgent { position: [0, 0], footprint, world: 0 };
        let mut scheduler = Scheduler::new(grid, rule, &[thrower], 10)?;
        scheduler.start(&ids([0]))?;
        let before = observe(&scheduler);
        let mut newly = Vec::new();
        let refused = Error::OverSpeed { agent: AgentId(0), clock: 0, distance: 3.0, speed: 2.0 };
        assert_eq!(scheduler.finish(&ids([0]), &[[0, 3]], &mut newly), Err(refused));
        assert_eq!(observe(&scheduler), before);
        scheduler.finish(&ids([0]), &[[-2, 2]], &mut newly)?;
    }
    Ok(())
}
