//! Joining and leaving.
//!
//! While an agent waits, no new blocker can appear, because what others can still reach only
//! shrinks. A newcomer would break that, so it may join only at a step that nobody it could affect
//! has passed.

use alloc::vec::Vec;

use crate::error::Error;
use crate::ids::{AgentId, Step};
use crate::metric::Space;
use crate::rule::{self, Rule};
use crate::scheduler::{Agent, NewAgent, Scheduler, Status};
use crate::story::Happening;

impl<S: Space> Scheduler<S> {
    /// The earliest step at which somebody may join there: before it, others may already have
    /// read what the newcomer could affect. Looks at every agent of the world.
    ///
    /// # Errors
    /// `BadPosition`, `BadFootprint`, `TooMany`.
    pub fn earliest_join(&self, newcomer: &NewAgent<S::Coord>) -> Result<Step, Error> {
        self.check_new(AgentId(self.agents.len() as u32), newcomer)?;
        let mut earliest = self.frontier.smallest();
        for (i, agent) in self.agents.iter().enumerate() {
            let entry = self.index.entry(AgentId(i as u32));
            if !entry.is_present() || entry.world != newcomer.world {
                continue;
            }
            // A blocked agent has not been told that it may go; all others have, or have gone.
            let last = match agent.status {
                Status::Blocked if entry.clock == 0 => continue,
                Status::Blocked => entry.clock - 1,
                _ => entry.clock,
            };
            let footprint = match self.rule {
                Rule::Conservative => &agent.footprint,
                Rule::Compatibility => &self.widest,
            };
            let too_early = |step: Step| {
                rule::joining_bound(
                    self.rule,
                    footprint,
                    &newcomer.footprint,
                    entry.clock,
                    last,
                    step,
                )
                .is_some_and(|bound| {
                    self.index.space().within(entry.position, newcomer.position, bound)
                })
            };
            // The bound shrinks with the step joined at, so the earliest is found by halving.
            let (mut low, mut high) = (earliest, last.saturating_add(1).max(earliest));
            while low < high {
                let middle = low + (high - low) / 2;
                if too_early(middle) {
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
    /// step. `newly_ready` is overwritten with the agent's id if it may start at once.
    ///
    /// # Errors
    /// `JoinsTooEarly`, `BadPosition`, `BadFootprint`, `TooMany`.
    pub fn add(
        &mut self,
        newcomer: &NewAgent<S::Coord>,
        at: Option<Step>,
        newly_ready: &mut Vec<AgentId>,
    ) -> Result<(AgentId, Step), Error> {
        let earliest = self.earliest_join(newcomer)?;
        let agent = AgentId(self.agents.len() as u32);
        let step = at.unwrap_or(earliest);
        if step < earliest {
            return Err(Error::JoinsTooEarly { agent, step, earliest });
        }
        self.widest = self.widest.union(&newcomer.footprint);
        newly_ready.clear();
        let id = self.insert(newcomer, step);
        self.examine(id, newly_ready);
        Ok((id, step))
    }

    /// Lets agents leave, after the last step they finished. `newly_ready` is overwritten with
    /// the agents that have become ready by it, ordered as in [`Self::ready`].
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
        // Somebody freed by the one may have left with the next.
        newly_ready.retain(|id| self.agents[id.index()].status == Status::Ready);
        self.sort(newly_ready);
        newly_ready.dedup();
        Ok(())
    }
    pub(crate) fn insert(&mut self, agent: &NewAgent<S::Coord>, clock: Step) -> AgentId {
        let id = self.index.insert(agent.position, clock, agent.world);
        self.agents.push(Agent {
            footprint: agent.footprint,
            // Until it has been examined; nobody counts on it meanwhile.
            status: Status::Blocked,
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
            self.regroup_around(id, status, newly_ready);
        }
        let mut waiters = Vec::new();
        self.waits.release_all(id, &mut waiters);
        for waiter in waiters {
            self.release(waiter, id, newly_ready);
        }
    }
}
