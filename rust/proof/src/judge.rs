//! Who decides which agents may go: the scheduler under test, or the slow twin with whatever rules.

use headway_core::{AgentId, Error, Graph, Grid, NewAgent, Plane, Rule, Scheduler, Step};

use crate::agent::State;
use crate::ground::{Ground, Home, Place};
use crate::setting::Setting;
use crate::twin::{Rules, Twin, TwinAgent};

/// Decides which agents may go.
pub trait Judge {
    /// Who may start a step.
    fn ready(&self) -> Vec<AgentId>;

    /// Who must start its step together with this one, who may.
    fn together(&self, id: AgentId) -> Vec<AgentId>;

    /// The step it will execute next, or executes.
    fn clock(&self, id: AgentId) -> Step;

    /// The smallest clock of all.
    fn frontier(&self) -> Step;

    /// They begin their step.
    fn start(&mut self, ids: &[AgentId]);

    /// They have ended it, at these places.
    fn finish(&mut self, ids: &[AgentId], places: &[Place]);

    /// The first step at which this one may join.
    fn earliest_join(&self, newcomer: &State) -> Step;

    /// Lets it join at this step, if that may be.
    fn join(&mut self, newcomer: &State, step: Step) -> bool;

    /// Lets somebody leave who executes no step.
    fn leave(&mut self, id: AgentId);

    /// Lets somebody who executes a step bring this one about.
    fn spawn(&mut self, parent: AgentId, child: &State) -> AgentId;

    /// Looks whether all that is stored agrees.
    fn validate(&self);
}

/// The scheduler under test, for a setting.
pub fn scheduler(setting: &Setting) -> Box<dyn Judge> {
    scheduler_with(setting, setting.kind.rule)
}

/// The scheduler under test with a rule that may not be the setting's.
pub fn scheduler_with(setting: &Setting, rule: Rule) -> Box<dyn Judge> {
    match setting.ground {
        Ground::Grid(_) => Box::new(scheduler_on::<Grid>(setting, rule)),
        Ground::Plane(_) => Box::new(scheduler_on::<Plane>(setting, rule)),
        Ground::Graph(_) => Box::new(scheduler_on::<Graph>(setting, rule)),
    }
}

fn scheduler_on<S: Home>(setting: &Setting, rule: Rule) -> Scheduler<S> {
    let agents: Vec<_> = setting.starts.iter().map(newcomer::<S>).collect();
    Scheduler::new(S::of(&setting.ground), rule, &agents, 0).expect("good agents")
}

fn newcomer<S: Home>(state: &State) -> NewAgent<S::Position> {
    NewAgent { position: S::position(state.at), footprint: state.footprint, world: 0 }
}

impl<S: Home> Judge for Scheduler<S> {
    fn ready(&self) -> Vec<AgentId> {
        self.ready()
    }

    fn together(&self, id: AgentId) -> Vec<AgentId> {
        let label = self.cluster(id);
        let mut cluster = self.ready();
        cluster.retain(|other| self.cluster(*other) == label);
        cluster
    }

    fn clock(&self, id: AgentId) -> Step {
        self.clock(id).expect("it is known")
    }

    fn frontier(&self) -> Step {
        self.frontier()
    }

    fn start(&mut self, ids: &[AgentId]) {
        self.start(ids).expect("they may start");
    }

    fn finish(&mut self, ids: &[AgentId], places: &[Place]) {
        let positions: Vec<_> = places.iter().map(|place| S::position(*place)).collect();
        self.finish(ids, &positions, &mut Vec::new()).expect("they may finish");
    }

    fn earliest_join(&self, state: &State) -> Step {
        self.earliest_join(&newcomer::<S>(state)).expect("a good newcomer")
    }

    fn join(&mut self, state: &State, step: Step) -> bool {
        match self.add(&newcomer::<S>(state), Some(step), &mut Vec::new()) {
            Ok((_, joined_at)) => {
                assert_eq!(joined_at, step);
                true
            }
            Err(Error::JoinsAhead { .. }) => false,
            Err(error) => panic!("{error}"),
        }
    }

    fn leave(&mut self, id: AgentId) {
        self.remove(&[id], &mut Vec::new()).expect("it may leave");
    }

    fn spawn(&mut self, parent: AgentId, child: &State) -> AgentId {
        self.spawn(parent, S::position(child.at), child.footprint).expect("a good child")
    }

    fn validate(&self) {
        self.validate().expect("all that is stored agrees");
    }
}

/// The twin with these rules, for a setting.
pub fn twin<'a>(setting: &Setting, rules: Rules<'a>) -> Box<dyn Judge + 'a> {
    let agents = setting.starts.iter().map(|state| TwinAgent::new(state.at, state.footprint, 0));
    Box::new(Twin { rules, ground: setting.ground.clone(), agents: agents.collect() })
}

/// It decides about those who are there and whom they bring about, wherever these stand. Nobody
/// joins or leaves.
impl Judge for Twin<'_> {
    fn ready(&self) -> Vec<AgentId> {
        self.ready()
    }

    fn together(&self, id: AgentId) -> Vec<AgentId> {
        self.cluster(id.0 as usize).into_iter().map(|a| AgentId(a as u32)).collect()
    }

    fn clock(&self, id: AgentId) -> Step {
        self.agents[id.0 as usize].clock
    }

    fn frontier(&self) -> Step {
        self.agents.iter().map(|agent| agent.clock).min().unwrap_or(0)
    }

    fn start(&mut self, ids: &[AgentId]) {
        for id in ids {
            self.agents[id.0 as usize].running = true;
        }
    }

    fn finish(&mut self, ids: &[AgentId], places: &[Place]) {
        for (id, place) in ids.iter().zip(places) {
            let agent = &mut self.agents[id.0 as usize];
            (agent.position, agent.clock, agent.running) = (*place, agent.clock + 1, false);
        }
    }

    fn earliest_join(&self, _: &State) -> Step {
        Step::MAX
    }

    fn join(&mut self, _: &State, _: Step) -> bool {
        false
    }

    fn leave(&mut self, _: AgentId) {
        panic!("nobody leaves a twin's world")
    }

    fn spawn(&mut self, parent: AgentId, child: &State) -> AgentId {
        let clock = self.agents[parent.0 as usize].clock + 1;
        self.agents.push(TwinAgent::new(child.at, child.footprint, clock));
        AgentId(self.agents.len() as u32 - 1)
    }

    fn validate(&self) {}
}
