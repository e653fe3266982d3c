//! On a plane, agents that stand and move as close to the limits as is accepted, to the last bit,
//! still all go on: nobody ends up coupled with somebody who has been let go without it.

use headway_core::{AgentId, Error, Footprint, Metric, NewAgent, Plane, Rule, Scheduler};
use headway_proof::random::Random;

#[test]
fn rounding_never_strands_an_agent() -> Result<(), Error> {
    let plane = Plane::new(Metric::Chebyshev, None).unwrap();
    let mut random = Random(1);
    let lean = |bound: f64| bound + bound * 1e-7;
    for case in 0..2000 {
        let (sight, speed) = (random.unit() * 5.0, random.unit() * 2.0 + 0.001);
        let footprint = Footprint { sight, reach: speed, speed };
        let at = |x| NewAgent { position: [x, 0.0], footprint, world: 0 };
        // Just beyond the reach of somebody one step behind.
        let mut x = lean(sight.max(speed) + speed + speed).next_down();
        let (still, mover) = (AgentId(0), AgentId(1));
        let mut newly = Vec::new();
        let mut scheduler = loop {
            x = x.next_up();
            let mut scheduler = Scheduler::new(plane, Rule::Compatibility, &[at(0.0), at(x)], 0)?;
            scheduler.start(&[still])?;
            scheduler.finish(&[still], &[[0.0; 2]], &mut newly)?;
            if newly == [still] {
                break scheduler;
            }
        };
        scheduler.start(&[mover])?;
        // The longest step towards it that is accepted, within a few last bits of what the slack
        // (all of it, or half) allows.
        let accepted = [1e-7, 0.5e-7, 0.0].into_iter().any(|slack| {
            let mut to = x - (speed + speed * slack);
            for _ in 0..8 {
                to = to.next_down();
            }
            (0..16).any(|_| {
                to = to.next_up();
                scheduler.finish(&[mover], &[[to, 0.0]], &mut newly).is_ok()
            })
        });
        assert!(accepted, "case {case}: not even a step of its speed is accepted");
        scheduler.validate()?;
        for _ in 0..6 {
            let ready = scheduler.ready();
            assert!(!ready.is_empty(), "case {case}: nobody can go");
            let to: Vec<_> =
                ready.iter().map(|&id| scheduler.position(id)).collect::<Result<_, _>>()?;
            scheduler.start(&ready)?;
            scheduler.finish(&ready, &to, &mut newly)?;
            scheduler.validate()?;
        }
        assert!(scheduler.frontier() > 1, "case {case}: somebody is stranded");
    }
    Ok(())
}
