//! What the search drives: the scheduler of `headway-core`, checked after every call, or a
//! stand-in.

use std::fmt::Display;
use std::rc::Rc;

use headway_core::{AgentId, Error, Footprint, NewAgent, Rule, Scheduler, Status};

use super::group::Group;
use super::map::{Area, Cell, Home};
use super::pairs::{Pairs, Visible};
use super::world::{SmallWorld, Step};

/// Decides which agents may run. Groups hold ids. Whatever is an error here ends the search.
pub trait Scheduling: Clone {
    /// The groups that may start, each whole.
    fn ready(&self) -> Vec<Group>;

    /// Marks a group as executing its step.
    ///
    /// # Errors
    /// The call is refused.
    fn start(&mut self, group: Group) -> Result<(), String>;

    /// Ends the step of a group, whose members by id stand at these places now; who has become
    /// ready by it.
    ///
    /// # Errors
    /// The call is refused.
    fn finish(&mut self, group: Group, places: &[Cell]) -> Result<Group, String>;

    /// Lets somebody join at a step or the earliest possible one; its id, its step and who has
    /// become ready by it, or nothing where the rule does not let it join (yet).
    ///
    /// # Errors
    /// The call is refused for another reason.
    fn join(
        &mut self,
        at: Cell,
        footprint: Footprint,
        step: Option<Step>,
    ) -> Result<Option<(AgentId, Step, Group)>, String>;

    /// Lets somebody leave; who has become ready by it.
    ///
    /// # Errors
    /// The call is refused.
    fn leave(&mut self, agent: usize) -> Result<Group, String>;

    /// Lets a running agent bring somebody about.
    ///
    /// # Errors
    /// The call is refused.
    fn spawn(&mut self, parent: usize, at: Cell, footprint: Footprint) -> Result<AgentId, String>;

    /// Appends all that later answers depend on besides what is visible.
    fn describe(&self, out: &mut Vec<u8>);

    /// Compares all answers with those that follow from what is visible of the agents, by id.
    ///
    /// # Errors
    /// The first disagreement.
    fn check(&self, agents: &[Visible]) -> Result<(), String>;
}

/// The scheduler of `headway-core`.
#[derive(Clone, Debug)]
pub struct Indexed<S: Home> {
    scheduler: Scheduler<S>,
    area: Area,
    rule: Rule,
    twin: Rc<Pairs>,
}

impl<S: Home> Indexed<S> {
    /// The scheduler for a world; `twin` states the same rule.
    ///
    /// # Panics
    /// Where the core refuses the world.
    #[must_use]
    pub fn new(world: &SmallWorld, twin: &Rc<Pairs>, starts: &[Cell]) -> Self {
        let (area, rule) = (world.area, world.rule);
        let agents = world.footprints.iter().zip(starts);
        let agents: Vec<_> = agents.map(|(f, at)| newcomer::<S>(area, *at, *f)).collect();
        let scheduler = Scheduler::new(S::of(area), rule, &agents, 0).expect("a world");
        Self { scheduler, area, rule, twin: Rc::clone(twin) }
    }

    fn all(&self) -> impl Iterator<Item = AgentId> {
        (0..self.scheduler.agents_joined() as u32).map(AgentId)
    }

    fn of(&self, id: AgentId) -> (Status, Step, S::Position) {
        let known = "the id is one of its own";
        let clock = self.scheduler.clock(id).expect(known) as Step;
        let position = self.scheduler.position(id).expect(known);
        (self.scheduler.status(id).expect(known), clock, position)
    }

    /// Ready agents come out by clock, then by how many the busiest of the cluster holds up, then
    /// by cluster and id.
    fn check_order(&self, ready: &[AgentId]) -> Result<(), String> {
        let known = "the id is one of its own";
        let label = |id: AgentId| self.scheduler.cluster(id).expect(known);
        let busiest = |id: AgentId| {
            let cluster = ready.iter().filter(|other| label(**other) == label(id));
            cluster.map(|other| self.scheduler.held_up(*other).expect(known)).max().unwrap_or(0)
        };
        let key = |id: &AgentId| (self.of(*id).1, std::cmp::Reverse(busiest(*id)), label(*id), *id);
        let sorted = ready.is_sorted_by_key(key);
        sorted.then_some(()).ok_or_else(|| format!("ready agents come in the order {ready:?}"))
    }

    fn check_agent(&self, agents: &[Visible], id: AgentId) -> Result<(), String> {
        let (status, clock, position) = self.of(id);
        let agent = &agents[id.0 as usize];
        if (clock, position) != (agent.clock, S::position(self.area, agent.at)) {
            return Err(format!("id {id} is at clock {clock} in {position:?}, it is not"));
        }
        let expected = if !agent.present {
            matches!(status, Status::Left)
        } else if agent.running.is_some() {
            matches!(status, Status::Running)
        } else {
            !matches!(status, Status::Left | Status::Running)
        };
        if !expected {
            return Err(format!("id {id} is {status:?}"));
        }
        if !agent.present {
            return Ok(());
        }
        let blockers = group(&self.scheduler.blockers(id).map_err(said)?);
        let twin = self.twin.blockers(agents, id.0 as usize);
        if blockers != twin {
            return Err(format!("ids said to block {id}: {blockers}; who does: {twin}"));
        }
        if status == Status::Blocked && twin.is_empty() {
            return Err(format!("nobody blocks id {id}, it waits"));
        }
        Ok(())
    }
}

fn newcomer<S: Home>(area: Area, at: Cell, footprint: Footprint) -> NewAgent<S::Position> {
    NewAgent { position: S::position(area, at), footprint, world: 0 }
}

fn group(ids: &[AgentId]) -> Group {
    ids.iter().map(|id| id.0 as usize).collect()
}

fn ids(group: Group) -> Vec<AgentId> {
    group.each().map(|id| AgentId(id as u32)).collect()
}

fn said(error: impl Display) -> String {
    format!("the scheduler says: {error}")
}

impl<S: Home> Scheduling for Indexed<S> {
    fn ready(&self) -> Vec<Group> {
        let ready = self.scheduler.ready();
        if self.rule == Rule::Conservative {
            return ready.iter().map(|id| Group::of(id.0 as usize)).collect();
        }
        let label = |id: &AgentId| self.scheduler.cluster(*id).expect("the id is one of its own");
        ready.chunk_by(|a, b| label(a) == label(b)).map(group).collect()
    }

    fn start(&mut self, group: Group) -> Result<(), String> {
        self.scheduler.start(&ids(group)).map_err(said)
    }

    fn finish(&mut self, agents: Group, places: &[Cell]) -> Result<Group, String> {
        let places: Vec<_> = places.iter().map(|at| S::position(self.area, *at)).collect();
        let mut newly = Vec::new();
        self.scheduler.finish(&ids(agents), &places, &mut newly).map_err(said)?;
        Ok(group(&newly))
    }

    fn join(
        &mut self,
        at: Cell,
        footprint: Footprint,
        step: Option<Step>,
    ) -> Result<Option<(AgentId, Step, Group)>, String> {
        let somebody = newcomer::<S>(self.area, at, footprint);
        let mut newly = Vec::new();
        match self.scheduler.add(&somebody, step.map(u32::from), &mut newly) {
            Ok((id, step)) => Ok(Some((id, step as Step, group(&newly)))),
            Err(Error::JoinsTooEarly { .. } | Error::JoinsAhead { .. }) => Ok(None),
            Err(error) => Err(said(error)),
        }
    }

    fn leave(&mut self, agent: usize) -> Result<Group, String> {
        let mut newly = Vec::new();
        self.scheduler.remove(&[AgentId(agent as u32)], &mut newly).map_err(said)?;
        Ok(group(&newly))
    }

    fn spawn(&mut self, parent: usize, at: Cell, footprint: Footprint) -> Result<AgentId, String> {
        let at = S::position(self.area, at);
        self.scheduler.spawn(AgentId(parent as u32), at, footprint).map_err(said)
    }

    fn describe(&self, out: &mut Vec<u8>) {
        self.scheduler.describe(out);
    }

    fn check(&self, agents: &[Visible]) -> Result<(), String> {
        self.scheduler.validate().map_err(said)?;
        if self.scheduler.agents_joined() != agents.len() {
            return Err(format!("{} agents have joined", self.scheduler.agents_joined()));
        }
        for id in self.all() {
            self.check_agent(agents, id)?;
        }
        let smallest = agents.iter().filter(|agent| agent.present).map(|agent| agent.clock).min();
        let frontier = self.scheduler.frontier();
        if smallest.is_some_and(|clock| u32::from(clock) != frontier) {
            return Err(format!("the frontier is said to be {frontier}"));
        }
        self.check_order(&self.scheduler.ready())?;
        let mut ready = self.ready();
        let mut twin = self.twin.ready(agents);
        ready.sort_unstable();
        twin.sort_unstable();
        if ready != twin {
            return Err(format!("ids said to be ready: {ready:?}; who is: {twin:?}"));
        }
        let frontier =
            agents.iter().enumerate().filter(|(_, a)| a.present && Some(a.clock) == smallest);
        for (id, agent) in frontier {
            let free = agent.running.is_some() || ready.iter().any(|group| group.has(id));
            if !free || !self.twin.blockers(agents, id).is_empty() {
                return Err(format!("id {id} is at the frontier and may not go"));
            }
        }
        Ok(())
    }
}
