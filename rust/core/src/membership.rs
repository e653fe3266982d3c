//! Joining and leaving.
//!
//! While an agent waits, no new blocker can appear, because what others can still reach only
//! shrinks. A newcomer would break that, so it may join only at a step that nobody it could affect
//! has passed. One that a running agent brings about is an effect of that agent's step instead:
//! within the agent's reach nobody has passed it.

use alloc::vec::Vec;

use crate::error::Error;
use crate::ids::{AgentId, Step};
use crate::index::{Entry, Index};
use crate::metric::Space;
use crate::rule::{self, Footprint, Rule};
use crate::scheduler::{Agent, NewAgent, Scheduler, Status};
use crate::story::Happening;

impl<S: Space> Scheduler<S> {
    /// The earliest step at which somebody may join there: before it, others may already have
    /// read, or been told they may read, what the newcomer could affect. Looks at every agent of
    /// the world.
    ///
    /// # Errors
    /// `BadPosition`, `BadFootprint`, `TooMany`.
    pub fn earliest_join(&self, newcomer: &NewAgent<S::Position>) -> Result<Step, Error> {
        self.check_new(AgentId(self.agents.len() as u32), newcomer)?;
        let mut earliest = self.frontier.smallest();
        for id in (0..self.agents.len() as u32).map(AgentId) {
            let Some((_, last)) = self.told(id, newcomer) else { continue };
            // The bound shrinks with the step joined at, so the earliest is found by halving.
            let (mut low, mut high) = (earliest, (last + 1).max(earliest));
            while low < high {
                let middle = low + (high - low) / 2;
                if self.joins_too_close(id, newcomer, middle) {
                    low = middle + 1;
                } else {
                    high = middle;
                }
            }
            earliest = low;
        }
        Ok(earliest)
    }

    /// Lets somebody join at a step, or at the earliest possible one; returns its id and that
    /// step. `newly_ready` is overwritten with the agents that have become ready by it.
    ///
    /// Under the compatibility rule a newcomer becomes a member of the cluster it stands in, which
    /// may have been ready and have to wait now.
    ///
    /// # Errors
    /// `JoinsTooEarly`, `JoinsAhead`, `BadPosition`, `BadFootprint`, `TooMany`.
    pub fn add(
        &mut self,
        newcomer: &NewAgent<S::Position>,
        at: Option<Step>,
        newly_ready: &mut Vec<AgentId>,
    ) -> Result<(AgentId, Step), Error> {
        let earliest = self.earliest_join(newcomer)?;
        let agent = AgentId(self.agents.len() as u32);
        let step = at.unwrap_or(earliest);
        if step < earliest {
            return Err(Error::JoinsTooEarly { agent, step, earliest });
        }
        if step == Step::MAX {
            return Err(Error::TooMany { what: "steps", limit: Step::MAX - 1 });
        }
        if self.rule == Rule::Compatibility {
            for behind in (0..self.agents.len() as u32).map(AgentId) {
                let clock = self.clock_of(behind);
                let present = self.index.entry(behind).is_present();
                if present && clock < step && self.joins_too_close(behind, newcomer, step) {
                    return Err(Error::JoinsAhead { agent, step, behind, clock });
                }
            }
        }
        self.widest = self.widest.union(&newcomer.footprint);
        newly_ready.clear();
        let id = self.insert(newcomer, step);
        if self.rule == Rule::Compatibility {
            for neighbour in self.coupled(id) {
                self.break_cluster(neighbour);
            }
        }
        self.examine(id, newly_ready);
        self.form_clusters(newly_ready);
        Ok((id, step))
    }

    /// Lets a running agent bring somebody about as an effect of the step it executes; returns the
    /// child's id. It is in the parent's world and joins at the step after, for which it has to
    /// wait at least until the parent has finished. Nobody else is looked at, and the step does
    /// not depend on how far others are.
    ///
    /// # Errors
    /// `UnknownAgent`, `AgentLeft`, `NotRunning`, `SpawnInPlace`, `SpawnTooFast`, `SpawnTooFar`,
    /// `BadPosition`, `BadFootprint`, `TooMany`; then nothing has changed.
    pub fn spawn(
        &mut self,
        parent: AgentId,
        position: S::Position,
        footprint: Footprint,
    ) -> Result<AgentId, Error> {
        let status = self.check_present(parent)?;
        let Entry { position: from, clock, world, .. } = *self.index.entry(parent);
        if self.rule == Rule::Compatibility {
            return Err(Error::SpawnInPlace { parent, clock });
        }
        if status != Status::Running {
            return Err(Error::NotRunning { agent: parent, clock });
        }
        let child = NewAgent { position, footprint, world };
        self.check_new(AgentId(self.agents.len() as u32), &child)?;
        if clock >= Step::MAX - 1 {
            return Err(Error::TooMany { what: "steps", limit: Step::MAX - 1 });
        }
        let own = self.agents[parent.index()].footprint;
        let Some(limit) = rule::spawning_bound(&own, &footprint) else {
            let (speed, limit) = (footprint.speed, own.speed);
            return Err(Error::SpawnTooFast { parent, clock, speed, limit });
        };
        // As for a move, the other half of the slack is for rounding.
        if !self.index.space().within(from, position, limit * (1.0 - S::SLACK / 2.0)) {
            let distance = self.index.space().distance(from, position);
            return Err(Error::SpawnTooFar { parent, clock, distance, limit });
        }
        self.widest = self.widest.union(&footprint);
        let id = self.insert(&child, clock + 1);
        let mut newly_ready = Vec::new();
        self.examine(id, &mut newly_ready);
        debug_assert!(newly_ready.is_empty(), "Invariant: a child waits for its parent");
        Ok(id)
    }

    /// The first and the last step an agent of the newcomer's world has executed, is executing, or
    /// was told it may execute, if there is any since it joined. Those who left count too: what
    /// they read is read.
    ///
    /// In a world changed in place a cluster that has not started can still take somebody in at its
    /// step, so being told does not count there. But all see at once whoever has joined, at
    /// whatever step, so it counts as having executed the step before while it is present.
    fn told(&self, id: AgentId, newcomer: &NewAgent<S::Position>) -> Option<(Step, Step)> {
        let entry = self.index.entry(id);
        if entry.world != newcomer.world {
            return None;
        }
        let Agent { status, joined, .. } = self.agents[id.index()];
        let last = match (self.rule, status) {
            (_, Status::Running) | (Rule::Conservative, Status::Ready) => entry.clock,
            _ => entry.clock.checked_sub(1)?,
        };
        let seen = self.rule == Rule::Compatibility && status != Status::Left;
        let first = if seen { joined.min(last) } else { joined };
        (first <= last).then_some((first, last))
    }

    fn joins_too_close(&self, id: AgentId, newcomer: &NewAgent<S::Position>, step: Step) -> bool {
        let entry = self.index.entry(id);
        if entry.world != newcomer.world {
            return false;
        }
        let footprint = match self.rule {
            Rule::Conservative => &self.agents[id.index()].footprint,
            Rule::Compatibility => &self.widest,
        };
        let told = self.told(id, newcomer);
        rule::joining_bound(self.rule, footprint, &newcomer.footprint, entry.clock, told, step)
            .is_some_and(|bound| {
                // From the newcomer, so that on a graph one walk answers for everybody.
                self.index.space().within(newcomer.position, entry.position, bound)
            })
    }

    /// Lets agents leave. `newly_ready` is overwritten with the agents that have become ready by
    /// it, ordered as in [`Self::ready`].
    ///
    /// In a versioned world others at the leaver's clock may already have seen it there, so it is
    /// part of that snapshot and gone from the next. In a world changed in place it is gone at
    /// once.
    ///
    /// # Errors
    /// `UnknownAgent`, `AgentLeft`, `Duplicate`, `Running`; then nothing has changed.
    pub fn remove(&mut self, ids: &[AgentId], newly_ready: &mut Vec<AgentId>) -> Result<(), Error> {
        self.batch += 1;
        for &id in ids {
            let status = self.check_present(id)?;
            self.check_once(id)?;
            if status == Status::Running {
                return Err(Error::Running { agent: id, clock: self.clock_of(id) });
            }
        }
        newly_ready.clear();
        for &id in ids {
            self.remove_one(id, newly_ready);
        }
        self.form_clusters(newly_ready);
        // Somebody freed by the one may have left with the next.
        newly_ready.retain(|id| self.agents[id.index()].status == Status::Ready);
        self.sort(newly_ready);
        newly_ready.dedup();
        Ok(())
    }

    pub(crate) fn insert(&mut self, agent: &NewAgent<S::Position>, clock: Step) -> AgentId {
        let id = self.index.insert(agent.position, clock, agent.world, &agent.footprint);
        self.agents.push(Agent {
            footprint: agent.footprint,
            // Until it has been examined; nobody counts on it meanwhile.
            status: Status::Blocked,
            joined: clock,
            label: id,
            cluster_size: 1,
            slot: 0,
            mark: 0,
            tally: 0,
        });
        self.waits.push_agent();
        self.frontier.join(clock);
        self.log.record(id, clock, Happening::Joined);
        id
    }

    fn remove_one(&mut self, id: AgentId, newly_ready: &mut Vec<AgentId>) {
        let status = self.agents[id.index()].status;
        let clock = self.clock_of(id);
        self.waits.cancel(id);
        if status == Status::Ready {
            self.unready(id);
        }
        self.agents[id.index()].status = Status::Left;
        self.index.remove(id);
        self.frontier.leave(clock);
        self.log.record(id, clock, Happening::Left);
        if self.rule == Rule::Compatibility {
            self.regroup_around(id, status);
        }
        let mut waiters = Vec::new();
        self.waits.release_all(id, &mut waiters);
        for waiter in waiters {
            self.release(waiter, id, newly_ready);
        }
    }
}
