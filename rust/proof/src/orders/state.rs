//! One state of a run, the events that can come next, and what each does.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use headway_core::Rule;

use super::group::Group;
use super::in_place::InPlace;
use super::lockstep::{Lockstep, Perceived, told};
use super::map::Map;
use super::pairs::Pairs;
use super::scheduling::Scheduling;
use super::world::{Name, Reads, Setting, SmallWorld, Step};

/// What is the same in all orders of one run.
#[derive(Debug)]
pub struct Run<'a> {
    /// The world.
    pub world: &'a SmallWorld,
    /// Its distances.
    pub map: &'a Map,
    /// Its rule over all pairs.
    pub pairs: &'a Pairs,
    /// How it begins.
    pub setting: &'a Setting,
    /// Whether nothing counts but what is read and how it ends, so that a wrong rule is judged by
    /// what it does to the world and not by the rule.
    pub outcome_only: bool,
    /// By the steps at which those who join do.
    lockstep: RefCell<BTreeMap<Vec<Option<Step>>, Rc<Lockstep>>>,
}

impl<'a> Run<'a> {
    /// A run of a world that begins so.
    #[must_use]
    pub fn new(
        world: &'a SmallWorld,
        map: &'a Map,
        pairs: &'a Pairs,
        setting: &'a Setting,
    ) -> Self {
        Self { world, map, pairs, setting, outcome_only: false, lockstep: RefCell::default() }
    }

    /// The run in lock-step in which those who join do so at these steps.
    #[must_use]
    pub fn lockstep(&self, joined: Vec<Option<Step>>) -> Rc<Lockstep> {
        let mut known = self.lockstep.borrow_mut();
        if let Some(lockstep) = known.get(&joined) {
            return Rc::clone(lockstep);
        }
        let lockstep = Rc::new(Lockstep::run(self.world, self.map, self.setting, &joined));
        known.insert(joined, Rc::clone(&lockstep));
        lockstep
    }
}

/// One thing that happens. Groups hold names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    /// A cluster starts its step.
    Start(Group),
    /// An agent reads.
    Read(Name),
    /// An agent brings another about.
    Spawn(Name),
    /// One cluster or several finish their steps: all effects take place.
    Finish(Group),
    /// An agent leaves.
    Leave(Name),
    /// Somebody joins.
    Join(Name),
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(group) => write!(f, "start   {group}"),
            Self::Read(name) => write!(f, "read    {name}"),
            Self::Spawn(name) => write!(f, "spawn   by {name}"),
            Self::Finish(group) => write!(f, "finish  {group}"),
            Self::Leave(name) => write!(f, "leave   {name}"),
            Self::Join(name) => write!(f, "join    {name}"),
        }
    }
}

/// What an agent is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Has not come yet.
    Away,
    Idle,
    Started,
    /// Has read, and is about to bring somebody about.
    Expecting,
    Done,
    Left,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Agent {
    pub(super) phase: Phase,
    pub(super) clock: Step,
    /// The scheduler's name for it.
    pub(super) id: u8,
    /// With whom it executes its step.
    pub(super) with: Group,
}

/// One state.
#[derive(Clone, Debug)]
pub struct State<D> {
    pub(super) scheduler: D,
    /// The run in lock-step in which those join who have done so.
    pub(super) lockstep: Rc<Lockstep>,
    /// By name.
    pub(super) agents: Vec<Agent>,
    /// By id.
    pub(super) names: Vec<Name>,
    pub(super) in_place: Option<InPlace>,
    /// Who may start, by name; follows from the scheduler.
    pub(super) ready: Group,
}

/// How an event went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Went {
    /// It happened.
    On,
    /// It cannot happen in this state, which is of no more use.
    Refused,
}

impl<D: Scheduling> State<D> {
    /// The state before anything has happened.
    #[must_use]
    pub fn new(run: &Run, scheduler: D) -> Self {
        let world = run.world;
        let lockstep = run.lockstep(vec![None; world.joins.len()]);
        let first = world.footprints.len();
        let agent = |name: Name| {
            let phase = if name < first { Phase::Idle } else { Phase::Away };
            Agent { phase, clock: 0, id: name as u8, with: Group::NONE }
        };
        let in_place = (world.rule == Rule::Compatibility).then(|| InPlace::new(world));
        let mut state = Self {
            scheduler,
            lockstep,
            agents: (0..world.names()).map(agent).collect(),
            names: (0..first).collect(),
            in_place,
            ready: Group::NONE,
        };
        state.ready = state.may_start();
        state
    }

    /// Events only ever add to it, whichever way they lead.
    #[must_use]
    pub fn rank(&self) -> usize {
        let rank = |agent: &Agent| match agent.phase {
            Phase::Away => 0,
            phase => 1 + 4 * usize::from(agent.clock) + phase as usize - Phase::Idle as usize,
        };
        self.agents.iter().map(rank).sum()
    }

    /// Difference of the largest and the smallest clock.
    #[must_use]
    pub fn lead(&self) -> Step {
        let clocks = || self.present().map(|(_, clock)| clock);
        clocks().max().unwrap_or(0) - clocks().min().unwrap_or(0)
    }

    /// Whether every agent that is there has come to the end.
    #[must_use]
    pub fn is_final(&self, world: &SmallWorld) -> bool {
        let ended = |agent: &Agent| match agent.phase {
            Phase::Away | Phase::Left => true,
            Phase::Idle => agent.clock == world.steps,
            _ => false,
        };
        self.agents.iter().all(ended)
    }

    pub(super) fn present(&self) -> impl Iterator<Item = (Name, Step)> {
        let there = |agent: &Agent| !matches!(agent.phase, Phase::Away | Phase::Left);
        let agents = self.agents.iter().enumerate().filter(move |(_, agent)| there(agent));
        agents.map(|(name, agent)| (name, agent.clock))
    }

    fn in_phase(&self, phase: Phase) -> impl Iterator<Item = Name> {
        (0..self.agents.len()).filter(move |name| self.agents[*name].phase == phase)
    }

    fn named(&self, ids: Group) -> Group {
        ids.each().map(|id| self.names[id]).collect()
    }

    pub(super) fn ids(&self, names: Group) -> Group {
        names.each().map(|name| usize::from(self.agents[name].id)).collect()
    }

    fn may_start(&self) -> Group {
        let groups = self.scheduler.ready().into_iter();
        groups.fold(Group::NONE, |all, group| all.with(self.named(group)))
    }

    /// The events that may come next. A `Join` may turn out to be refused.
    #[must_use]
    pub fn events(&self, world: &SmallWorld) -> Vec<Event> {
        let mut events = Vec::new();
        for group in self.scheduler.ready() {
            let names = self.named(group);
            if names.each().all(|name| self.agents[name].clock < world.stop(name)) {
                events.push(Event::Start(names));
            }
        }
        events.extend(self.in_phase(Phase::Started).map(Event::Read));
        events.extend(self.in_phase(Phase::Expecting).map(Event::Spawn));
        let done: Group = self.in_phase(Phase::Done).collect();
        let mut whole = Vec::new();
        for name in done.each() {
            let with = self.agents[name].with;
            if with.without(done).is_empty() && with.each().next() == Some(name) {
                whole.push(with);
            }
        }
        let batches = if world.batches { 1..1_u32 << whole.len() } else { 0..0 };
        for batch in batches.filter(|batch| batch.count_ones() > 1) {
            let members = (0..whole.len()).filter(|at| batch >> at & 1 > 0);
            let union = members.fold(Group::NONE, |all, at| all.with(whole[at]));
            events.push(Event::Finish(union));
        }
        events.extend(whole.into_iter().map(Event::Finish));
        let leaving = |name: &Name| {
            let stop = world.stop(*name);
            stop < world.steps && self.agents[*name].clock == stop
        };
        events.extend(self.in_phase(Phase::Idle).filter(leaving).map(Event::Leave));
        let joining = world.footprints.len()..world.placed();
        events.extend(
            self.in_phase(Phase::Away).filter(|name| joining.contains(name)).map(Event::Join),
        );
        events
    }

    /// Lets an event happen.
    ///
    /// # Errors
    /// What went wrong by it.
    pub fn apply(&mut self, run: &Run, event: Event) -> Result<Went, String> {
        let (before, newly) = (self.ready, self.perform(run, event)?);
        let Some(newly) = newly else { return Ok(Went::Refused) };
        let newly = self.named(newly);
        self.ready = self.may_start();
        if !run.outcome_only {
            self.check_ready(run, event, before, newly)?;
        }
        self.check(run)?;
        Ok(Went::On)
    }

    /// Who is said to have become ready, by id; nothing where the event is refused.
    fn perform(&mut self, run: &Run, event: Event) -> Result<Option<Group>, String> {
        match event {
            Event::Start(names) => {
                self.scheduler.start(self.ids(names))?;
                for name in names.each() {
                    (self.agents[name].phase, self.agents[name].with) = (Phase::Started, names);
                }
                if run.world.reads == Reads::AtStart {
                    for name in names.each() {
                        self.read(run, name)?;
                    }
                }
            }
            Event::Read(name) => self.read(run, name)?,
            Event::Spawn(name) => self.spawn(run, name)?,
            Event::Finish(names) => return self.finish(run, names).map(Some),
            Event::Leave(name) => {
                self.agents[name].phase = Phase::Left;
                if let Some(world) = &mut self.in_place {
                    world.leave(name);
                }
                return self.scheduler.leave(usize::from(self.agents[name].id)).map(Some);
            }
            Event::Join(name) => return self.join(run, name),
        }
        Ok(Some(Group::NONE))
    }

    fn read(&mut self, run: &Run, name: Name) -> Result<(), String> {
        let clock = self.agents[name].clock;
        let lockstep = Rc::clone(&self.lockstep);
        let expected = &lockstep.life(name).expect("who reads has come").deed(clock).perceived;
        let read = self.perceive(run, name, clock);
        if read != *expected {
            return Err(format!(
                "at its step {clock}, {name} reads: {}; in lock-step: {}",
                told(&read),
                told(expected)
            ));
        }
        let child = run.world.child(name, clock);
        let phase = if child.is_some() { Phase::Expecting } else { Phase::Done };
        self.agents[name].phase = phase;
        Ok(())
    }

    fn perceive(&mut self, run: &Run, name: Name, clock: Step) -> Perceived {
        let present: Vec<_> = self.present().collect();
        if let Some(world) = &mut self.in_place {
            let sight = run.world.footprint(name).sight;
            return world.perceive(&self.lockstep, run.map, sight, &present, (name, clock));
        }
        self.perceive_versions(run, name, clock)
    }

    /// What somebody who looks around now reads where all versions are kept.
    pub(super) fn perceive_versions(&self, run: &Run, name: Name, clock: Step) -> Perceived {
        let known = |other: &&Agent| other.phase != Phase::Away;
        let clock_of = |other: Name| Some(&self.agents[other]).filter(known).map(|a| a.clock);
        self.lockstep.perceive(run.world, run.map, clock_of, name, clock)
    }

    fn spawn(&mut self, run: &Run, parent: Name) -> Result<(), String> {
        let clock = self.agents[parent].clock;
        let child = run.world.child(parent, clock).expect("somebody is to be brought about");
        let at = self.lockstep.at(child, clock + 1);
        let footprint = run.world.footprint(child);
        let id = self.scheduler.spawn(usize::from(self.agents[parent].id), at, footprint)?;
        self.come(child, clock + 1, id.0 as usize)?;
        self.agents[parent].phase = Phase::Done;
        Ok(())
    }

    fn come(&mut self, name: Name, clock: Step, id: usize) -> Result<(), String> {
        if id != self.names.len() {
            return Err(format!("{name} gets the id {id}"));
        }
        self.names.push(name);
        self.agents[name] = Agent { phase: Phase::Idle, clock, id: id as u8, with: Group::NONE };
        Ok(())
    }

    fn finish(&mut self, run: &Run, names: Group) -> Result<Group, String> {
        let mut order: Vec<_> = names.each().map(|name| (self.agents[name].clock, name)).collect();
        order.sort_unstable();
        if let Some(world) = &mut self.in_place {
            let there = |agent: &&Agent| !matches!(agent.phase, Phase::Away | Phase::Left);
            let agents = self.agents.iter().enumerate().filter(|(_, agent)| there(agent));
            let present: Vec<_> = agents.map(|(name, agent)| (name, agent.clock)).collect();
            for &(step, name) in &order {
                let life = self.lockstep.life(name).expect("who acts has come");
                let expected = life.deed(step).hearers;
                let reach = run.world.footprint(name).reach;
                let hearers = world.hearers(&self.lockstep, run.map, reach, &present, (name, step));
                if hearers != expected {
                    return Err(format!(
                        "at its step {step}, {name} reaches: {hearers}; in lock-step: {expected}"
                    ));
                }
            }
            for &(step, name) in &order {
                world.commit(&self.lockstep, name, step);
            }
        }
        for &(step, name) in &order {
            let agent = &mut self.agents[name];
            (agent.phase, agent.clock, agent.with) = (Phase::Idle, step + 1, Group::NONE);
        }
        let ids = self.ids(names);
        let place = |id: usize| {
            let name = self.names[id];
            self.lockstep.at(name, self.agents[name].clock)
        };
        let places: Vec<_> = ids.each().map(place).collect();
        self.scheduler.finish(ids, &places)
    }

    /// Nothing where it is refused, which must not change anything.
    fn join(&mut self, run: &Run, name: Name) -> Result<Option<Group>, String> {
        let number = name - run.world.footprints.len();
        let join = run.world.joins[number];
        let mut before = Vec::new();
        self.scheduler.describe(&mut before);
        let answer = self.scheduler.join(run.setting.starts[name], join.footprint, join.at)?;
        let Some((id, step, newly)) = answer else {
            let mut after = Vec::new();
            self.scheduler.describe(&mut after);
            return if before == after { Ok(None) } else { Err("a refusal left a trace".into()) };
        };
        if step >= run.world.steps {
            return Ok(None);
        }
        self.come(name, step, id.0 as usize)?;
        self.follow(run.lockstep(self.joined(run.world)), name)?;
        Ok(Some(newly))
    }

    /// Somebody has joined, so the run in lock-step is another; what has been done by now must be
    /// the same in it.
    fn follow(&mut self, lockstep: Rc<Lockstep>, newcomer: Name) -> Result<(), String> {
        for (name, agent) in self.agents.iter().enumerate() {
            if name == newcomer || agent.phase == Phase::Away {
                continue;
            }
            let has_read = matches!(agent.phase, Phase::Expecting | Phase::Done);
            let (Some(was), Some(is)) = (self.lockstep.life(name), lockstep.life(name)) else {
                return Err(format!("{name} does not come any more"));
            };
            for step in was.first..agent.clock + Step::from(has_read) {
                if was.deed(step).perceived != is.deed(step).perceived {
                    return Err(format!(
                        "at its step {step}, {name} has read: {}; now that {newcomer} has joined, \
                         in lock-step: {}",
                        told(&was.deed(step).perceived),
                        told(&is.deed(step).perceived)
                    ));
                }
            }
        }
        self.lockstep = lockstep;
        Ok(())
    }

    /// The step at which each of those who join has done so.
    pub(super) fn joined(&self, world: &SmallWorld) -> Vec<Option<Step>> {
        let joining = world.footprints.len()..world.placed();
        let first = |name: Name| {
            let there = self.agents[name].phase != Phase::Away;
            there.then(|| self.lockstep.life(name).map_or(self.agents[name].clock, |l| l.first))
        };
        joining.map(first).collect()
    }
}
