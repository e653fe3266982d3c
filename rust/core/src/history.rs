//! Versioned positions: who stood near somebody at the start of a step, in a world whose agents
//! have different clocks.
//!
//! An agent ahead has moved on, but one behind must see it where it stood then. So every place
//! is kept as a *version*: an agent, the step it came, the step it was gone, where. The index is
//! the scheduler's, with one entry per version and the step it began as the entry's clock: a
//! search for step `t` passes over whatever began later. An agent that stands still has one
//! version. What ended before the oldest step anybody may still ask about is freed.

use alloc::collections::BinaryHeap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::ops::ControlFlow;

use crate::error::Error;
use crate::ids::{AgentId, Step};
use crate::index::{Index, NONE};
use crate::metric::Space;
use crate::rule::Footprint;

/// The end of a version that still holds.
const OPEN: Step = Step::MAX;

/// A search goes by distance alone, so all versions share one layer.
const POINT: Footprint = Footprint { sight: 0.0, reach: 0.0, speed: 0.0 };

/// One stay of an agent at one place; where and since when is in the index.
#[derive(Clone, Copy, Debug)]
struct Version {
    /// `NONE` while the slot is free.
    agent: u32,
    /// The first step it is no longer there.
    until: Step,
    /// The version before and the one after, of the same agent.
    older: u32,
    newer: u32,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    /// Its latest version; `NONE` once it is gone and forgotten.
    latest: u32,
    /// The first step it is not there, `OPEN` while it stays.
    gone: Step,
    /// The last batch this agent was seen in, to find doubles.
    mark: u64,
}

/// Where everybody stood at the start of every step that may still be asked about.
#[derive(Clone, Debug)]
pub struct History<S: Space> {
    /// A version's slot is its id here.
    index: S::Index,
    versions: Vec<Version>,
    free: Vec<u32>,
    agents: Vec<Known>,
    /// The versions that have ended, the first to end on top.
    ended: BinaryHeap<Reverse<(Step, u32)>>,
    /// Steps before this one are forgotten.
    oldest: Step,
    batch: u64,
}

impl<S: Space> History<S> {
    /// Agents that stand at these places from step 0 on; agent `i` at `positions[i]`. `radius` is
    /// that of a typical search.
    ///
    /// # Errors
    /// `BadPosition`, `TooMany`.
    pub fn new(space: S, positions: &[S::Position], radius: f64) -> Result<Self, Error> {
        let mut history = Self {
            index: S::Index::new(space, core::iter::once(radius)),
            versions: Vec::with_capacity(positions.len()),
            free: Vec::new(),
            agents: Vec::with_capacity(positions.len()),
            ended: BinaryHeap::new(),
            oldest: 0,
            batch: 0,
        };
        for &position in positions {
            history.add(position, 0)?;
        }
        Ok(history)
    }

    /// Somebody new stands there from `step` on; returns its id.
    ///
    /// # Errors
    /// `BadPosition`, `Forgotten`, `TooMany`; then nothing has changed.
    pub fn add(&mut self, position: S::Position, step: Step) -> Result<AgentId, Error> {
        let id = AgentId(self.agents.len() as u32);
        self.check_step(step)?;
        self.check_position(id, None, position)?;
        self.check_room(1)?;
        self.agents.push(Known { latest: NONE, gone: OPEN, mark: 0 });
        self.begin(id, position, step);
        Ok(id)
    }

    /// `ids[k]` stands at `positions[k]` from `steps[k]` on, which lies after the step at which it
    /// came where it stood last.
    ///
    /// # Errors
    /// `UnknownAgent`, `Duplicate`, `Gone`, `NotAfter`, `Forgotten`, `BadPosition`, `TooMany`; then
    /// nothing has changed.
    ///
    /// # Panics
    /// Where the three differ in length.
    pub fn advance(
        &mut self,
        ids: &[AgentId],
        steps: &[Step],
        positions: &[S::Position],
    ) -> Result<(), Error> {
        assert_eq!(ids.len(), positions.len(), "Condition failed: one position for each agent");
        self.check_ends(ids, steps)?;
        for ((&id, &step), &position) in ids.iter().zip(steps).zip(positions) {
            self.check_position(id, Some(step - 1), position)?;
        }
        self.check_room(ids.len())?;
        for ((&id, &step), &position) in ids.iter().zip(steps).zip(positions) {
            let latest = self.agents[id.index()].latest;
            if self.index.entry(AgentId(latest)).position != position {
                self.end(latest, step);
                self.begin(id, position, step);
            }
        }
        self.free_ended();
        Ok(())
    }

    /// `ids[k]` is gone from `steps[k]` on, which lies after the step at which it came where it
    /// stands.
    ///
    /// # Errors
    /// `UnknownAgent`, `Duplicate`, `Gone`, `NotAfter`, `Forgotten`, `TooMany`; then nothing has
    /// changed.
    ///
    /// # Panics
    /// Where the two differ in length.
    pub fn remove(&mut self, ids: &[AgentId], steps: &[Step]) -> Result<(), Error> {
        self.check_ends(ids, steps)?;
        for (&id, &step) in ids.iter().zip(steps) {
            let latest = self.agents[id.index()].latest;
            self.agents[id.index()].gone = step;
            self.end(latest, step);
        }
        self.free_ended();
        Ok(())
    }

    /// Finds the others who stood at most `radius` from where this agent stood at the start of
    /// `step`. `found` is overwritten with them, by id.
    ///
    /// # Errors
    /// `UnknownAgent`, `Forgotten`, `NotYetThere`, `Gone`.
    pub fn neighbours(
        &self,
        agent: AgentId,
        step: Step,
        radius: f64,
        found: &mut Vec<AgentId>,
    ) -> Result<(), Error> {
        let slot = self.version_at(agent, step)?;
        self.find(self.index.entry(AgentId(slot)).position, step, radius, agent.0, found);
        Ok(())
    }

    /// Finds everybody who stood at most `radius` from a place at the start of `step`. `found` is
    /// overwritten with them, by id.
    ///
    /// # Errors
    /// `BadPosition`, `Forgotten`.
    pub fn near(
        &self,
        position: S::Position,
        step: Step,
        radius: f64,
        found: &mut Vec<AgentId>,
    ) -> Result<(), Error> {
        self.check_step(step)?;
        self.index
            .space()
            .check(position)
            .map_err(|fault| Error::BadPlace { position: S::real(position), fault })?;
        self.find(position, step, radius, NONE, found);
        Ok(())
    }

    fn find(
        &self,
        position: S::Position,
        step: Step,
        radius: f64,
        except: u32,
        found: &mut Vec<AgentId>,
    ) {
        found.clear();
        self.index.search(
            0,
            position,
            |from, _| (from <= step).then_some(radius),
            |_, entry| (entry.clock <= step).then_some(radius),
            |slot, _, distance| {
                let Version { agent, until, .. } = self.versions[slot.index()];
                // The index leans on a plane, this does not.
                if distance <= radius && step < until && agent != except {
                    found.push(AgentId(agent));
                }
                ControlFlow::Continue(())
            },
        );
        found.sort_unstable();
    }

    /// Where the agent stood at the start of a step.
    ///
    /// # Errors
    /// `UnknownAgent`, `Forgotten`, `NotYetThere`, `Gone`.
    pub fn position(&self, agent: AgentId, step: Step) -> Result<S::Position, Error> {
        Ok(self.index.entry(AgentId(self.version_at(agent, step)?)).position)
    }

    /// Nobody will ask about steps before this one any more. Costs as much as it frees versions.
    pub fn forget(&mut self, before: Step) {
        // The last of all numbers is no step; what never ends has it as its end and is kept.
        self.oldest = self.oldest.max(before.min(OPEN - 1));
        self.free_ended();
    }

    /// The oldest step that may be asked about.
    pub fn oldest(&self) -> Step {
        self.oldest
    }

    /// Number of versions kept.
    pub fn versions(&self) -> usize {
        self.versions.len() - self.free.len()
    }

    /// Number of agents ever added; ids are below it.
    pub fn agents_joined(&self) -> usize {
        self.agents.len()
    }

    /// The slot of the version that holds at a step. Asked mostly about the latest steps, so the
    /// search goes backward from the latest version.
    fn version_at(&self, agent: AgentId, step: Step) -> Result<u32, Error> {
        self.check_known(agent)?;
        self.check_step(step)?;
        let Known { latest, gone, .. } = self.agents[agent.index()];
        if step >= gone {
            return Err(Error::Gone { agent, step, gone });
        }
        let (mut at, mut first) = (latest, step);
        while at != NONE {
            first = self.index.entry(AgentId(at)).clock;
            if first <= step {
                return Ok(at);
            }
            at = self.versions[at as usize].older;
        }
        Err(Error::NotYetThere { agent, step, first })
    }

    /// Opens a version of an agent.
    fn begin(&mut self, agent: AgentId, position: S::Position, from: Step) {
        let older = self.agents[agent.index()].latest;
        let version = Version { agent: agent.0, until: OPEN, older, newer: NONE };
        let slot = if let Some(slot) = self.free.pop() {
            self.index.put_back(AgentId(slot), position, from);
            self.versions[slot as usize] = version;
            slot
        } else {
            self.versions.push(version);
            self.index.insert(position, from, 0, &POINT).0
        };
        if older != NONE {
            self.versions[older as usize].newer = slot;
        }
        self.agents[agent.index()].latest = slot;
    }

    fn end(&mut self, slot: u32, until: Step) {
        self.versions[slot as usize].until = until;
        self.ended.push(Reverse((until, slot)));
    }

    /// Frees the versions that ended before anybody may ask.
    fn free_ended(&mut self) {
        while let Some(&Reverse((until, slot))) = self.ended.peek() {
            if until > self.oldest {
                return;
            }
            self.ended.pop();
            self.index.remove(AgentId(slot));
            let Version { agent, newer, .. } = self.versions[slot as usize];
            self.versions[slot as usize].agent = NONE;
            self.free.push(slot);
            // An agent's versions end in order, so this was its oldest.
            if newer == NONE {
                self.agents[agent as usize].latest = NONE;
            } else {
                self.versions[newer as usize].older = NONE;
            }
        }
    }

    fn check_known(&self, agent: AgentId) -> Result<(), Error> {
        if agent.index() < self.agents.len() {
            Ok(())
        } else {
            let agents = self.agents.len() as u32;
            Err(Error::UnknownAgent { agent: i128::from(agent.0), agents })
        }
    }

    fn check_step(&self, step: Step) -> Result<(), Error> {
        if step == OPEN {
            return Err(Error::TooMany { what: "steps", limit: OPEN - 1 });
        }
        if step < self.oldest {
            return Err(Error::Forgotten { step, oldest: self.oldest });
        }
        Ok(())
    }

    fn check_position(
        &self,
        agent: AgentId,
        clock: Option<Step>,
        position: S::Position,
    ) -> Result<(), Error> {
        let position_as_given = S::real(position);
        self.index.space().check(position).map_err(|fault| Error::BadPosition {
            agent,
            clock,
            position: position_as_given,
            fault,
        })
    }

    fn check_room(&self, more: usize) -> Result<(), Error> {
        let limit = NONE - 1;
        if self.versions() + more > limit as usize || self.agents.len() >= limit as usize {
            return Err(Error::TooMany { what: "positions", limit });
        }
        Ok(())
    }

    /// Checks that the latest version of each agent can end at these steps.
    fn check_ends(&mut self, ids: &[AgentId], steps: &[Step]) -> Result<(), Error> {
        assert_eq!(ids.len(), steps.len(), "Condition failed: one step for each agent");
        self.batch += 1;
        for (&agent, &step) in ids.iter().zip(steps) {
            self.check_known(agent)?;
            let known = &mut self.agents[agent.index()];
            let gone = known.gone;
            if gone != OPEN {
                return Err(Error::Gone { agent, step, gone });
            }
            let latest = self.index.entry(AgentId(known.latest)).clock;
            if known.mark == self.batch {
                return Err(Error::Duplicate { agent, clock: latest });
            }
            known.mark = self.batch;
            self.check_step(step)?;
            if step <= latest {
                return Err(Error::NotAfter { agent, step, latest });
            }
        }
        Ok(())
    }

    /// Re-derives every stored fact: the index, each agent's chain of versions, what is freed.
    ///
    /// # Errors
    /// `Invariant` with the first disagreement, which is a bug of this crate.
    pub fn validate(&self) -> Result<(), Error> {
        let bug = |what| Error::Invariant { what };
        self.index.validate().map_err(bug)?;
        let mut kept = 0;
        for agent in 0..self.agents.len() {
            kept += self.validate_agent(agent).map_err(bug)?;
        }
        let (versions, ended) = (self.versions(), self.ended.len());
        let closed = self.versions.iter().filter(|v| v.agent != NONE && v.until != OPEN).count();
        if kept != versions || closed != ended {
            return Err(bug(format!(
                "{versions} versions are kept, agents have {kept}; {closed} have ended, {ended} \
                 are listed as such"
            )));
        }
        for &slot in &self.free {
            if self.index.entry(AgentId(slot)).is_present() {
                return Err(bug(format!("version {slot} is free and in the index")));
            }
        }
        Ok(())
    }

    /// Walks an agent's versions and returns their number.
    fn validate_agent(&self, agent: usize) -> Result<usize, String> {
        let Known { latest, gone, .. } = self.agents[agent];
        let (mut at, mut newer, mut until, mut kept) = (latest, NONE, gone, 0);
        while at != NONE {
            let version = self.versions[at as usize];
            let entry = self.index.entry(AgentId(at));
            if (version.agent as usize, version.newer, version.until) != (agent, newer, until)
                || entry.clock >= until
                || until <= self.oldest
                || !entry.is_present()
            {
                return Err(format!("version {at} does not fit into the life of agent {agent}"));
            }
            (at, newer, until, kept) = (version.older, at, entry.clock, kept + 1);
        }
        if kept == 0 && gone > self.oldest {
            return Err(format!("agent {agent} stands nowhere"));
        }
        Ok(kept)
    }
}
