//! The rule over all pairs, with nothing stored but who stands where, at which step, doing what.

use headway_core::rule::{compatibility_bound, conservative_bound, coupling_bound};
use headway_core::{AgentId, Footprint, Rule, Space, Status, Step, World};

use super::ground::Ground;

/// One agent.
pub(super) struct Person<P> {
    pub(super) position: P,
    pub(super) footprint: Footprint,
    pub(super) world: World,
    pub(super) clock: Step,
    pub(super) running: bool,
    pub(super) present: bool,
    /// Running: those it must finish with, itself included.
    pub(super) party: Vec<usize>,
}

/// Everybody.
pub(super) struct Pairs<G: Ground> {
    pub(super) ground: G,
    pub(super) rule: Rule,
    pub(super) people: Vec<Person<<G::Space as Space>::Position>>,
}

impl<G: Ground> Pairs<G> {
    fn widest(&self) -> Footprint {
        let all = self.people.iter().map(|person| person.footprint);
        all.reduce(|a, b| a.union(&b)).expect("asked about somebody")
    }

    fn blocks(&self, a: usize, b: usize) -> bool {
        let (a, b) = (&self.people[a], &self.people[b]);
        if !b.present || a.world != b.world || b.clock >= a.clock {
            return false;
        }
        let lag = a.clock - b.clock;
        let bound = match self.rule {
            Rule::Conservative => conservative_bound(&a.footprint, &b.footprint, lag),
            Rule::Compatibility => compatibility_bound(&self.widest(), lag),
        };
        self.ground.within(a.position, b.position, bound)
    }

    /// Everybody who blocks this agent, by id.
    pub(super) fn blockers(&self, a: usize) -> Vec<AgentId> {
        (0..self.people.len()).filter(|&b| self.blocks(a, b)).map(|b| AgentId(b as u32)).collect()
    }

    fn coupled(&self, a: usize, b: usize) -> bool {
        let (a, b) = (&self.people[a], &self.people[b]);
        b.present
            && a.world == b.world
            && a.clock == b.clock
            && self.ground.within(a.position, b.position, coupling_bound(&self.widest()))
    }

    /// The cluster of somebody present, by number.
    pub(super) fn cluster(&self, a: usize) -> Vec<usize> {
        let mut members = vec![a];
        let mut at = 0;
        while self.rule == Rule::Compatibility && at < members.len() {
            let near = |b: &usize| !members.contains(b) && self.coupled(members[at], *b);
            let near: Vec<_> = (0..self.people.len()).filter(near).collect();
            members.extend(near);
            at += 1;
        }
        members.sort_unstable();
        members
    }

    /// What everybody must be doing.
    pub(super) fn statuses(&self) -> Vec<Status> {
        let blocked: Vec<_> =
            (0..self.people.len()).map(|a| !self.blockers(a).is_empty()).collect();
        let status = |(a, person): (usize, &Person<_>)| match person {
            _ if !person.present => Status::Left,
            _ if person.running => Status::Running,
            _ if blocked[a] => Status::Blocked,
            _ if self.cluster(a).iter().any(|&m| blocked[m] || self.people[m].running) => {
                Status::Held
            }
            _ => Status::Ready,
        };
        self.people.iter().enumerate().map(status).collect()
    }

    /// The smallest clock of those present.
    pub(super) fn frontier(&self) -> Option<Step> {
        self.people.iter().filter(|person| person.present).map(|person| person.clock).min()
    }
}
