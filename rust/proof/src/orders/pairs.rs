//! The rules written out over all pairs, with nothing stored: the twin that the scheduler's
//! answers are compared with, and, with one thing wrong, what the search must catch.

use std::rc::Rc;

use headway_core::{AgentId, Footprint, Rule};

use super::group::Group;
use super::map::{Cell, Map};
use super::scheduling::Scheduling;
use super::world::{SmallWorld, Step};

/// What everybody can know of an agent.
#[derive(Clone, Copy, Debug)]
pub struct Visible {
    /// Where it stood as it last finished a step.
    pub at: Cell,
    /// Its footprint.
    pub footprint: Footprint,
    /// Its next step, or the one it executes.
    pub clock: Step,
    /// With whom it executes it.
    pub running: Option<Group>,
    /// False once it has left.
    pub present: bool,
}

/// One thing wrong with a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Every bound is smaller by one.
    OneSmaller,
    /// Conservative: by sight alone, even where an agent is faster than it sees.
    SightForTheLarger,
    /// Conservative: a blocker writes no farther than it moves.
    SpeedForReach,
    /// Conservative: a blocker is as fast as the agent it may block.
    OwnSpeed,
    /// Conservative: a blocker has one step fewer to come near.
    OneStepFewer,
    /// Compatibility: an agent ahead blocks as late as in a versioned world.
    OneStepLater,
    /// Compatibility: everybody goes alone.
    NoCoupling,
    /// Compatibility: a cluster is what is unblocked of it.
    UnblockedOnly,
    /// Compatibility: by sight alone, even where an agent reaches farther than it sees.
    SightForTheRadius,
    /// Compatibility: by the footprint of the agent that asks, instead of the largest of all.
    OwnFootprint,
    /// Compatibility: by the footprints of each pair, instead of the largest of all. No small world
    /// minds: the largest of all is simpler, and more than it takes.
    PairFootprints,
    /// The straight line, where squares are perceived.
    StraightLine,
    /// The way around is forgotten.
    NoWrap,
    /// Who joins does so at the smallest clock, whoever stands near.
    JoinsAnywhere,
}

/// The rules over all pairs.
#[derive(Clone, Debug)]
pub struct Pairs {
    rule: Rule,
    fault: Option<Fault>,
    map: Map,
    widest: Footprint,
}

impl Pairs {
    /// The rule of a world, with one thing wrong or none.
    #[must_use]
    pub fn new(world: &SmallWorld, fault: Option<Fault>) -> Self {
        let area = match fault {
            Some(Fault::StraightLine) => world.euclidean().area,
            Some(Fault::NoWrap) => super::map::Area { wrap: false, ..world.area },
            _ => world.area,
        };
        Self { rule: world.rule, fault, map: Map::new(area), widest: world.widest() }
    }

    fn is(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    /// Distance up to which B, `lag` steps behind, blocks A.
    fn blocking_bound(&self, a: &Footprint, b: &Footprint, lag: f64) -> f64 {
        let smaller = if self.is(Fault::OneSmaller) { 1.0 } else { 0.0 };
        if self.rule == Rule::Compatibility {
            let later = if self.is(Fault::OneStepLater) { 1.0 } else { 0.0 };
            let speed = match self.fault {
                Some(Fault::OwnFootprint) => a.speed,
                Some(Fault::PairFootprints) => b.speed,
                _ => self.widest.speed,
            };
            return self.coupling_bound(a, b) + (lag - later) * speed;
        }
        let reading =
            if self.is(Fault::SightForTheLarger) { a.sight } else { a.sight.max(a.speed) };
        let reach = if self.is(Fault::SpeedForReach) { b.speed } else { b.reach };
        let speed = if self.is(Fault::OwnSpeed) { a.speed } else { b.speed };
        let steps = if self.is(Fault::OneStepFewer) { lag - 2.0 } else { lag - 1.0 };
        reading + reach + steps * speed - smaller
    }

    /// Distance up to which equals must go together.
    fn coupling_bound(&self, a: &Footprint, b: &Footprint) -> f64 {
        let smaller = if self.is(Fault::OneSmaller) { 1.0 } else { 0.0 };
        let one_way = |a: &Footprint, b: &Footprint| {
            let sees = self.is(Fault::SightForTheRadius);
            let radius = if sees { a.sight } else { a.sight.max(a.reach) };
            radius + b.reach - smaller
        };
        match self.fault {
            Some(Fault::OwnFootprint) => one_way(a, a),
            Some(Fault::PairFootprints) => one_way(a, b).max(one_way(b, a)),
            _ => one_way(&self.widest, &self.widest),
        }
    }

    fn blocks(&self, a: &Visible, b: &Visible) -> bool {
        a.present && b.present && b.clock < a.clock && {
            let bound =
                self.blocking_bound(&a.footprint, &b.footprint, f64::from(a.clock - b.clock));
            self.map.distance(a.at, b.at) <= bound
        }
    }

    /// Whoever blocks an agent.
    #[must_use]
    pub fn blockers(&self, agents: &[Visible], a: usize) -> Group {
        (0..agents.len()).filter(|&b| self.blocks(&agents[a], &agents[b])).collect()
    }

    fn coupled(&self, a: &Visible, b: &Visible) -> bool {
        a.present
            && b.present
            && a.clock == b.clock
            && !self.is(Fault::NoCoupling)
            && self.map.distance(a.at, b.at) <= self.coupling_bound(&a.footprint, &b.footprint)
    }

    /// Those who must go together with an agent, itself included.
    #[must_use]
    pub fn cluster(&self, agents: &[Visible], a: usize) -> Group {
        if self.rule == Rule::Conservative {
            return Group::of(a);
        }
        let counts =
            |b: usize| !self.is(Fault::UnblockedOnly) || self.blockers(agents, b).is_empty();
        let mut members = Group::of(a);
        loop {
            let next = (0..agents.len()).find(|&b| {
                !members.has(b)
                    && counts(b)
                    && members.each().any(|m| self.coupled(&agents[m], &agents[b]))
            });
            let Some(next) = next else { return members };
            members = members.with(Group::of(next));
        }
    }

    /// The groups that may start now, each once.
    #[must_use]
    pub fn ready(&self, agents: &[Visible]) -> Vec<Group> {
        let free = |m: usize| agents[m].running.is_none() && self.blockers(agents, m).is_empty();
        let mut ready = Vec::new();
        let mut seen = Group::NONE;
        for a in (0..agents.len()).filter(|&a| agents[a].present) {
            if seen.has(a) {
                continue;
            }
            let cluster = self.cluster(agents, a);
            seen = seen.with(cluster);
            if cluster.each().all(free) {
                ready.push(cluster);
            }
        }
        ready
    }

    /// The published condition on a world changed in place, for two agents with these clocks at
    /// these places: nobody is within sight of somebody who is at another time. Where agents reach
    /// farther than they move it is stricter by the difference, because effects count as well.
    #[must_use]
    pub fn is_valid(&self, (p, a): (Cell, Step), (q, b): (Cell, Step), nearer: f64) -> bool {
        let Footprint { sight, reach, speed } = self.widest;
        let apart = f64::from(a.abs_diff(b));
        let bound = sight.max(reach) + (reach - speed) + (apart - 1.0) * speed;
        a == b || self.map.distance(p, q) - nearer > bound
    }
}

/// A scheduler that stores nothing but what is visible.
#[derive(Clone, Debug)]
pub struct AllPairs {
    pairs: Rc<Pairs>,
    agents: Vec<Visible>,
}

impl AllPairs {
    /// A scheduler for a world, with one thing wrong or none.
    #[must_use]
    pub fn new(world: &SmallWorld, starts: &[Cell], fault: Option<Fault>) -> Self {
        let pairs = Rc::new(Pairs::new(world, fault));
        let agents = world.footprints.iter().zip(starts);
        Self { pairs, agents: agents.map(|(footprint, at)| newcomer(*at, *footprint, 0)).collect() }
    }

    fn may_start(&self) -> Group {
        self.ready().into_iter().fold(Group::NONE, Group::with)
    }
}

fn newcomer(at: Cell, footprint: Footprint, clock: Step) -> Visible {
    Visible { at, footprint, clock, running: None, present: true }
}

impl Scheduling for AllPairs {
    fn ready(&self) -> Vec<Group> {
        self.pairs.ready(&self.agents)
    }

    fn start(&mut self, group: Group) -> Result<(), String> {
        for agent in group.each() {
            self.agents[agent].running = Some(group);
        }
        Ok(())
    }

    fn finish(&mut self, group: Group, places: &[Cell]) -> Result<Group, String> {
        let before = self.may_start();
        for (agent, &at) in group.each().zip(places) {
            let Visible { footprint, clock, .. } = self.agents[agent];
            self.agents[agent] = newcomer(at, footprint, clock + 1);
        }
        Ok(self.may_start().without(before))
    }

    fn join(
        &mut self,
        at: Cell,
        footprint: Footprint,
        step: Option<Step>,
    ) -> Result<Option<(AgentId, Step, Group)>, String> {
        let smallest = self.agents.iter().filter(|a| a.present).map(|a| a.clock).min();
        let earliest = smallest.unwrap_or(0);
        if step.is_some_and(|step| step < earliest) || !self.pairs.is(Fault::JoinsAnywhere) {
            return Ok(None);
        }
        let (step, before) = (step.unwrap_or(earliest), self.may_start());
        self.agents.push(newcomer(at, footprint, step));
        let id = AgentId(self.agents.len() as u32 - 1);
        Ok(Some((id, step, self.may_start().without(before))))
    }

    fn leave(&mut self, agent: usize) -> Result<Group, String> {
        let before = self.may_start();
        self.agents[agent].present = false;
        Ok(self.may_start().without(before))
    }

    fn spawn(&mut self, parent: usize, at: Cell, footprint: Footprint) -> Result<AgentId, String> {
        let clock = self.agents[parent].clock + 1;
        self.agents.push(newcomer(at, footprint, clock));
        Ok(AgentId(self.agents.len() as u32 - 1))
    }

    /// Nothing is stored but what every state holds anyway.
    fn describe(&self, _: &mut Vec<u8>) {}

    fn check(&self, _: &[Visible]) -> Result<(), String> {
        Ok(())
    }
}
