//! The slow twin: a scheduler that looks at all pairs, with nothing stored but places, clocks and
//! who is running. Its rules are closures on pairs, so that it can be given wrong ones too.

use headway_core::{AgentId, Footprint, Step, World};

use crate::ground::{Ground, Place};

/// An agent as the twin knows it.
#[derive(Clone, Debug)]
pub struct TwinAgent {
    /// Where it stood at the start of the step that is its clock.
    pub position: Place,
    /// How far it reads, writes and moves.
    pub footprint: Footprint,
    /// Agents of different worlds do not matter to each other.
    pub world: World,
    /// The next step it will execute, or the one it executes.
    pub clock: Step,
    /// Whether it executes that.
    pub running: bool,
    /// False once it has left.
    pub present: bool,
}

impl TwinAgent {
    /// An idle one, in the first world.
    pub fn new(position: Place, footprint: Footprint, clock: Step) -> Self {
        Self { position, footprint, world: 0, clock, running: false, present: true }
    }

    /// How many steps it is ahead of another; below 0 where it is behind.
    pub fn lead_over(&self, other: &Self) -> f64 {
        f64::from(self.clock) - f64::from(other.clock)
    }
}

/// The distance up to which B matters to A, if it does at all.
pub type Bound<'a> = Box<dyn Fn(&TwinAgent, &TwinAgent) -> Option<f64> + 'a>;

/// A rule.
pub struct Rules<'a> {
    /// Up to where B, whose clock is another, keeps A from starting its step.
    pub blocks: Bound<'a>,
    /// Up to where A and B, whose clocks are equal, must start and finish their step together, if
    /// any must.
    pub couples: Option<Bound<'a>>,
    /// Whether clusters are made of the agents that nobody blocks, rather than of all.
    pub only_unblocked_cluster: bool,
}

impl<'a> Rules<'a> {
    /// Each agent goes by itself.
    pub fn alone(blocks: impl Fn(&TwinAgent, &TwinAgent) -> Option<f64> + 'a) -> Self {
        Self { blocks: Box::new(blocks), couples: None, only_unblocked_cluster: false }
    }

    /// Some go together. Clusters are made of all agents, as they should.
    pub fn in_clusters(
        blocks: impl Fn(&TwinAgent, &TwinAgent) -> Option<f64> + 'a,
        couples: impl Fn(&TwinAgent, &TwinAgent) -> Option<f64> + 'a,
    ) -> Self {
        Self { couples: Some(Box::new(couples)), ..Self::alone(blocks) }
    }

    /// The rule for a versioned world. `lean` tells by how much of it a bound leans to the safe
    /// side.
    pub fn conservative(lean: f64) -> Self {
        Self::conservative_less(lean, 0.0)
    }

    /// That rule with a bound that is smaller by `less`.
    pub fn conservative_less(lean: f64, less: f64) -> Self {
        let blocks = move |a: &TwinAgent, b: &TwinAgent| {
            let lag = a.lead_over(b);
            let reads = a.footprint.sight.max(a.footprint.speed);
            let writes = b.footprint.reach + (lag - 1.0) * b.footprint.speed;
            (lag > 0.0).then_some(leaning(reads + writes, lean) - less)
        };
        Self::alone(blocks)
    }

    /// The rule for a world changed in place; `all` covers every agent's footprint.
    pub fn compatibility(all: Footprint, lean: f64) -> Self {
        let together = all.sight.max(all.reach) + all.reach;
        let blocks = move |a: &TwinAgent, b: &TwinAgent| {
            let lag = a.lead_over(b);
            (lag > 0.0).then_some(leaning(together + lag * all.speed, lean))
        };
        Self::in_clusters(blocks, move |_, _| Some(leaning(together, lean)))
    }
}

fn leaning(bound: f64, lean: f64) -> f64 {
    bound + bound * lean
}

/// The slow twin of a scheduler.
pub struct Twin<'a> {
    /// What it applies.
    pub rules: Rules<'a>,
    /// Where all are.
    pub ground: Ground,
    /// By id.
    pub agents: Vec<TwinAgent>,
}

impl Twin<'_> {
    fn within(&self, a: &TwinAgent, b: &TwinAgent, bound: Option<f64>) -> bool {
        bound.is_some_and(|bound| self.ground.distance(a.position, b.position) <= bound)
    }

    /// Whether `b` keeps `a` from starting its step.
    pub fn blocks(&self, a: usize, b: usize) -> bool {
        let (a, b) = (&self.agents[a], &self.agents[b]);
        b.present
            && a.world == b.world
            && a.clock != b.clock
            && self.within(a, b, (self.rules.blocks)(a, b))
    }

    /// Everybody who does, by id.
    pub fn blockers(&self, a: usize) -> Vec<AgentId> {
        (0..self.agents.len()).filter(|&b| self.blocks(a, b)).map(|b| AgentId(b as u32)).collect()
    }

    /// By how much a child at this distance is too near to some reader that its parent, executing
    /// its step, does not block; 0 or less where it may join there. Tries every lead.
    pub fn child_too_near(&self, parent: usize, child: &Footprint, away: f64) -> f64 {
        let own = self.agents[parent].footprint;
        let excess = (1..200).map(|lead| {
            // A reader this many steps ahead of the parent, of sight 0, stands beyond this:
            let beyond = own.reach + f64::from(lead - 1) * own.speed;
            // It sees the child, and it meets what the child did in the steps between.
            let seen = f64::from(lead - 1) * child.speed;
            let met = if lead > 1 { child.reach + f64::from(lead - 2) * child.speed } else { 0.0 };
            seen.max(met) - (beyond - away)
        });
        excess.fold(f64::NEG_INFINITY, f64::max)
    }

    fn coupled(&self, a: usize, b: usize) -> bool {
        let (a, b) = (&self.agents[a], &self.agents[b]);
        a.present
            && b.present
            && a.world == b.world
            && a.clock == b.clock
            && self.within(a, b, self.rules.couples.as_ref().and_then(|couples| couples(a, b)))
    }

    /// Whether an agent may start, were it not for its cluster.
    fn is_free(&self, a: usize) -> bool {
        let agent = &self.agents[a];
        agent.present && !agent.running && !(0..self.agents.len()).any(|b| self.blocks(a, b))
    }

    /// The cluster of an agent among all present agents of its step.
    pub fn cluster(&self, a: usize) -> Vec<usize> {
        let mut members = vec![a];
        if self.rules.couples.is_none() {
            return members;
        }
        let mut at = 0;
        while at < members.len() {
            for b in 0..self.agents.len() {
                if !members.contains(&b)
                    && self.coupled(members[at], b)
                    && (!self.rules.only_unblocked_cluster || self.is_free(b))
                {
                    members.push(b);
                }
            }
            at += 1;
        }
        members.sort_unstable();
        members
    }

    /// Everybody who may start now, by id.
    pub fn ready(&self) -> Vec<AgentId> {
        let free: Vec<_> = (0..self.agents.len()).map(|a| self.is_free(a)).collect();
        (0..self.agents.len())
            .filter(|&a| free[a] && self.cluster(a).iter().all(|&member| free[member]))
            .map(|a| AgentId(a as u32))
            .collect()
    }
}
