//! The scheduler: starts, finishes, joins and leaves in; ready agents out.

use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::ops::ControlFlow;

use crate::error::Error;
use crate::frontier::Frontier;
use crate::ids::{AgentId, Step, World};
use crate::index::Index;
use crate::metric::Space;
use crate::rule::{self, Footprint, Rule};
use crate::story::{Happening, Log, StoryEntry};
use crate::waits::Waits;

/// Somebody about to join.
#[derive(Clone, Copy, Debug)]
pub struct NewAgent<P> {
    /// Where.
    pub position: P,
    /// How far it reads, writes and moves in one step.
    pub footprint: Footprint,
    /// In which world.
    pub world: World,
}

/// What an agent is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Blocked; it waits for one blocker.
    Blocked,
    /// Not blocked, but a member of its cluster is.
    Held,
    /// It may start its step.
    Ready,
    /// It executes its step.
    Running,
    /// It has left.
    Left,
}

#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(crate) struct Agent {
    pub(crate) footprint: Footprint,
    pub(crate) status: Status,
    /// Its first step.
    pub(crate) joined: Step,
    /// Ready or running: the smallest id of its cluster.
    pub(crate) label: AgentId,
    /// Under the label: number of members of the cluster.
    pub(crate) cluster_size: u32,
    /// Ready: place in the list of ready agents.
    pub(crate) slot: u32,
    /// The last batch this agent was seen in, to find doubles.
    pub(crate) mark: u64,
    /// Scratch: members of this label's cluster seen in the batch.
    pub(crate) tally: u32,
}

/// Decides which agents may run; see the crate's front page.
#[derive(Clone, Debug)]
pub struct Scheduler<S: Space> {
    pub(crate) rule: Rule,
    pub(crate) index: S::Index,
    pub(crate) agents: Vec<Agent>,
    pub(crate) waits: Waits,
    pub(crate) ready: Vec<AgentId>,
    /// Found unblocked in this call; their clusters are looked at once all have been examined.
    pub(crate) unblocked: Vec<AgentId>,
    /// Covers the footprint of everybody who ever joined.
    pub(crate) widest: Footprint,
    pub(crate) frontier: Frontier,
    pub(crate) log: Log,
    pub(crate) batch: u64,
    examinations: u64,
}

impl<S: Space> Scheduler<S> {
    /// A scheduler with its first agents, all at step 0; agent `i` is `agents[i]`.
    ///
    /// `story_capacity` bounds the log behind [`Self::story`].
    ///
    /// # Errors
    /// `BadPosition`, `BadFootprint`, `TooMany`.
    pub fn new(
        space: S,
        rule: Rule,
        agents: &[NewAgent<S::Position>],
        story_capacity: usize,
    ) -> Result<Self, Error> {
        let clocks = vec![0; agents.len()];
        Self::resume(space, rule, agents, &clocks, story_capacity)
    }

    /// A scheduler that goes on where another one was: `agents[i]` stands where it stood at the
    /// start of step `clocks[i]`, the next it will execute. All are taken to have joined at step 0.
    ///
    /// # Errors
    /// `BadPosition`, `BadFootprint`, `TooMany`.
    ///
    /// # Panics
    /// Where `agents` and `clocks` differ in length.
    pub fn resume(
        space: S,
        rule: Rule,
        agents: &[NewAgent<S::Position>],
        clocks: &[Step],
        story_capacity: usize,
    ) -> Result<Self, Error> {
        assert_eq!(agents.len(), clocks.len(), "Condition failed: one clock for each agent");
        let widest = agents.iter().map(|agent| agent.footprint).reduce(|a, b| a.union(&b));
        let widest = widest.unwrap_or(Footprint { sight: 0.0, reach: 0.0, speed: 0.0 });
        // What an agent one step behind can affect: the usual search looks about that far.
        let bounds = agents.iter().map(|a| rule::conservative_bound(&a.footprint, &a.footprint, 1));
        let mut scheduler = Self {
            rule,
            index: S::Index::new(space, bounds),
            agents: Vec::with_capacity(agents.len()),
            waits: Waits::default(),
            ready: Vec::new(),
            unblocked: Vec::new(),
            widest,
            frontier: Frontier::default(),
            log: Log::new(story_capacity),
            batch: 0,
            examinations: 0,
        };
        for (i, (agent, clock)) in agents.iter().zip(clocks).enumerate() {
            scheduler.check_new(AgentId(i as u32), agent)?;
            if *clock == Step::MAX {
                return Err(Error::TooMany { what: "steps", limit: Step::MAX - 1 });
            }
        }
        for (agent, &clock) in agents.iter().zip(clocks) {
            let id = scheduler.insert(agent, clock);
            scheduler.agents[id.index()].joined = 0;
        }
        let mut newly_ready = Vec::new();
        for id in (0..agents.len() as u32).map(AgentId) {
            scheduler.examine(id, &mut newly_ready);
        }
        scheduler.form_clusters(&mut newly_ready);
        Ok(scheduler)
    }

    /// The agents that may start their step, ordered by clock, then by how many agents they
    /// (their cluster's busiest member) hold up, most first, then by id. Members of a cluster
    /// stand together.
    pub fn ready(&self) -> Vec<AgentId> {
        let mut ready = self.ready.clone();
        self.sort(&mut ready);
        ready
    }

    /// Marks agents as executing their step. Clusters start whole.
    ///
    /// # Errors
    /// `UnknownAgent`, `AgentLeft`, `Duplicate`, `Blocked`, `Running`, `PartialCluster`; then
    /// nothing has changed.
    pub fn start(&mut self, ids: &[AgentId]) -> Result<(), Error> {
        self.check_batch(ids, Status::Ready)?;
        for &id in ids {
            self.unready(id);
            self.agents[id.index()].status = Status::Running;
            self.log.record(id, self.clock_of(id), Happening::Started);
        }
        Ok(())
    }

    /// Ends the step of running agents: `positions[k]` is where `ids[k]` stands now. Clusters
    /// finish whole. `newly_ready` is overwritten with the agents that have become ready by it,
    /// ordered as in [`Self::ready`].
    ///
    /// # Errors
    /// `UnknownAgent`, `AgentLeft`, `Duplicate`, `NotRunning`, `PartialCluster`, `BadPosition`,
    /// `OverSpeed`, `TooMany` (steps); then nothing has changed.
    ///
    /// # Panics
    /// Where `ids` and `positions` differ in length.
    pub fn finish(
        &mut self,
        ids: &[AgentId],
        positions: &[S::Position],
        newly_ready: &mut Vec<AgentId>,
    ) -> Result<(), Error> {
        assert_eq!(ids.len(), positions.len(), "Condition failed: one position for each agent");
        self.check_batch(ids, Status::Running)?;
        for (&id, &position) in ids.iter().zip(positions) {
            self.check_move(id, position)?;
        }
        for (&id, &position) in ids.iter().zip(positions) {
            let clock = self.clock_of(id);
            self.index.advance(id, position, clock + 1);
            self.frontier.advance(clock);
            self.agents[id.index()].status = Status::Blocked; // until examined, below
            self.log.record(id, clock, Happening::Finished);
        }
        newly_ready.clear();
        for &id in ids {
            self.examine(id, newly_ready);
        }
        for &id in ids {
            let clock = self.clock_of(id);
            while let Some(waiter) = self.waits.release_due(id, clock) {
                self.release(waiter, id, newly_ready);
            }
        }
        self.form_clusters(newly_ready);
        self.sort(newly_ready);
        Ok(())
    }

    /// Everybody who blocks this agent now, by id; empty where it is not blocked.
    ///
    /// # Errors
    /// `UnknownAgent`, `AgentLeft`.
    pub fn blockers(&self, id: AgentId) -> Result<Vec<AgentId>, Error> {
        self.check_present(id)?;
        let mut blockers = Vec::new();
        self.each_blocker(id, |blocker, _, _| {
            blockers.push(blocker);
            ControlFlow::Continue(())
        });
        blockers.sort_unstable();
        Ok(blockers)
    }

    /// What is remembered of this agent, oldest first.
    ///
    /// # Errors
    /// `UnknownAgent`.
    pub fn story(&self, id: AgentId) -> Result<Vec<StoryEntry>, Error> {
        self.check_known(id)?;
        Ok(self.log.of(id))
    }

    /// The smallest clock of the agents present; while none is, the last such.
    pub fn frontier(&self) -> Step {
        self.frontier.smallest()
    }

    /// How often anybody's blockers have been looked for: once for each step of each agent, and
    /// again each time it might have been freed.
    pub fn examinations(&self) -> u64 {
        self.examinations
    }

    /// Number of agents that ever joined; ids are below it.
    pub fn agents_joined(&self) -> usize {
        self.agents.len()
    }

    /// The next step the agent will execute (while running, the one it executes).
    ///
    /// # Errors
    /// `UnknownAgent`.
    pub fn clock(&self, id: AgentId) -> Result<Step, Error> {
        self.check_known(id)?;
        Ok(self.clock_of(id))
    }

    /// Where the agent stood at the start of the step that is its clock.
    ///
    /// # Errors
    /// `UnknownAgent`.
    pub fn position(&self, id: AgentId) -> Result<S::Position, Error> {
        self.check_known(id)?;
        Ok(self.index.entry(id).position)
    }

    /// What the agent is doing.
    ///
    /// # Errors
    /// `UnknownAgent`.
    pub fn status(&self, id: AgentId) -> Result<Status, Error> {
        self.check_known(id)?;
        Ok(self.agents[id.index()].status)
    }

    /// The smallest id of the cluster a ready or running agent belongs to; its own id where it is
    /// alone or in none.
    ///
    /// # Errors
    /// `UnknownAgent`.
    pub fn cluster(&self, id: AgentId) -> Result<AgentId, Error> {
        self.check_known(id)?;
        let agent = &self.agents[id.index()];
        Ok(match agent.status {
            Status::Ready | Status::Running => agent.label,
            _ => id,
        })
    }

    /// The witness a blocked agent waits for, and the clock of it at which it is examined again.
    ///
    /// # Errors
    /// `UnknownAgent`.
    pub fn witness(&self, id: AgentId) -> Result<Option<(AgentId, Step)>, Error> {
        self.check_known(id)?;
        Ok(self.waits.witness(id))
    }

    /// How many agents wait for this one, directly or through others (each waits for one).
    ///
    /// # Errors
    /// `UnknownAgent`.
    pub fn held_up(&self, id: AgentId) -> Result<u32, Error> {
        self.check_known(id)?;
        Ok(self.waits.held_up(id))
    }

    pub(crate) fn clock_of(&self, id: AgentId) -> Step {
        self.index.entry(id).clock
    }

    /// Shows the blockers of an agent, each with its bound and distance, until told to stop.
    fn each_blocker(&self, id: AgentId, visit: impl FnMut(AgentId, f64, f64) -> ControlFlow<()>) {
        let me = *self.index.entry(id);
        let footprint = self.agents[id.index()].footprint;
        // The distance up to which an agent with clock `b` and this footprint blocks, if at all.
        let bound = |by: &Footprint, b: Step| {
            let lag = me.clock.checked_sub(b).filter(|lag| *lag > 0)?;
            Some(match self.rule {
                Rule::Conservative => rule::conservative_bound(&footprint, by, lag),
                Rule::Compatibility => rule::compatibility_bound(&self.widest, lag),
            })
        };
        self.index.search(
            me.world,
            me.position,
            |clock, widest| bound(widest, clock),
            |other, entry| {
                // Most are as far: they are passed over without a look at their footprint.
                (entry.clock < me.clock)
                    .then(|| bound(&self.agents[other.index()].footprint, entry.clock))?
            },
            visit,
        );
    }

    /// Decides anew about an agent that is neither ready nor running.
    pub(crate) fn examine(&mut self, id: AgentId, newly_ready: &mut Vec<AgentId>) {
        self.examinations += 1;
        let mut found = None;
        self.each_blocker(id, |blocker, bound, distance| {
            found = Some((blocker, bound, distance));
            ControlFlow::Break(())
        });
        let Some((witness, bound, distance)) = found else {
            self.unblock(id, newly_ready);
            return;
        };
        let clock = self.clock_of(id);
        let entry = self.index.entry(witness);
        let speed = match self.rule {
            Rule::Conservative => self.agents[witness.index()].footprint.speed,
            Rule::Compatibility => self.widest.speed,
        };
        let steps = rule::steps_until_release(bound, distance, speed, S::SLACK);
        let wake_at = entry.clock.saturating_add(steps).min(clock);
        let happening = Happening::Waited {
            witness,
            witness_clock: entry.clock,
            distance: distance as f32,
            bound: bound as f32,
            wake_at,
        };
        self.agents[id.index()].status = Status::Blocked;
        self.waits.wait(id, witness, wake_at);
        self.log.record(id, clock, happening);
    }

    /// Nobody blocks this agent: it is ready, unless it has to wait for its cluster.
    fn unblock(&mut self, id: AgentId, newly_ready: &mut Vec<AgentId>) {
        match self.rule {
            Rule::Conservative => self.make_ready(&[id], newly_ready),
            Rule::Compatibility => {
                self.agents[id.index()].status = Status::Held;
                self.unblocked.push(id);
            }
        }
    }

    pub(crate) fn release(
        &mut self,
        waiter: AgentId,
        witness: AgentId,
        newly_ready: &mut Vec<AgentId>,
    ) {
        let happening = Happening::Released { witness, witness_clock: self.clock_of(witness) };
        self.log.record(waiter, self.clock_of(waiter), happening);
        self.examine(waiter, newly_ready);
    }

    /// Makes the members of one cluster ready.
    pub(crate) fn make_ready(&mut self, members: &[AgentId], newly_ready: &mut Vec<AgentId>) {
        let label = *members.iter().min().expect("a cluster has members");
        let cluster_size = members.len() as u32;
        for &id in members {
            let slot = self.ready.len() as u32;
            let agent = &mut self.agents[id.index()];
            (agent.status, agent.label, agent.slot) = (Status::Ready, label, slot);
            self.ready.push(id);
            newly_ready.push(id);
            self.log.record(id, self.clock_of(id), Happening::Ready { cluster_size });
        }
        self.agents[label.index()].cluster_size = cluster_size;
    }

    /// Takes an agent off the list of ready ones.
    pub(crate) fn unready(&mut self, id: AgentId) {
        let slot = self.agents[id.index()].slot as usize;
        self.ready.swap_remove(slot);
        if let Some(&moved) = self.ready.get(slot) {
            self.agents[moved.index()].slot = slot as u32;
        }
    }

    pub(crate) fn sort(&self, ids: &mut [AgentId]) {
        // The busiest member speaks for its cluster.
        let mut busiest = vec![];
        if self.rule == Rule::Compatibility {
            busiest.extend(
                ids.iter()
                    .map(|id| (self.agents[id.index()].label, Reverse(self.waits.held_up(*id)))),
            );
            busiest.sort_unstable();
            busiest.dedup_by_key(|(label, _)| *label);
        }
        ids.sort_by_cached_key(|id| {
            let label = self.agents[id.index()].label;
            let held_up = busiest
                .binary_search_by_key(&label, |(label, _)| *label)
                .map_or_else(|_| Reverse(self.waits.held_up(*id)), |i| busiest[i].1);
            (self.clock_of(*id), held_up, label, *id)
        });
    }
}
