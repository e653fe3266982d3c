//! What a call must fulfil before it may change anything.

use crate::error::Error;
use crate::ids::{AgentId, Step};
use crate::index::Index;
use crate::metric::Space;
use crate::rule::{Footprint, Rule};
use crate::scheduler::{NewAgent, Scheduler, Status};

/// Largest sight, reach or speed, so that bounds stay exact.
const FOOTPRINT_MAX: f64 = 1_073_741_824.0;

impl<S: Space> Scheduler<S> {
    pub(crate) fn check_known(&self, id: AgentId) -> Result<(), Error> {
        if id.index() < self.agents.len() {
            Ok(())
        } else {
            let agents = self.agents.len() as u32;
            Err(Error::UnknownAgent { agent: i128::from(id.0), agents })
        }
    }

    pub(crate) fn check_present(&self, id: AgentId) -> Result<Status, Error> {
        self.check_known(id)?;
        match self.agents[id.index()].status {
            Status::Left => Err(Error::AgentLeft { agent: id, clock: self.clock_of(id) }),
            status => Ok(status),
        }
    }

    pub(crate) fn check_once(&mut self, id: AgentId) -> Result<(), Error> {
        let agent = &mut self.agents[id.index()];
        if agent.mark == self.batch {
            return Err(Error::Duplicate { agent: id, clock: self.index.entry(id).clock });
        }
        agent.mark = self.batch;
        Ok(())
    }

    /// Checks that a batch holds each agent once, all of this status, and clusters whole.
    pub(crate) fn check_batch(&mut self, ids: &[AgentId], wanted: Status) -> Result<(), Error> {
        self.batch += 1;
        for &id in ids {
            let status = self.check_present(id)?;
            self.check_once(id)?;
            let clock = self.clock_of(id);
            if status != wanted {
                return Err(match (wanted, status) {
                    (Status::Ready, Status::Running) => Error::Running { agent: id, clock },
                    (Status::Ready, _) => {
                        Error::Blocked { agent: id, clock, witness: self.waits.witness(id) }
                    }
                    _ => Error::NotRunning { agent: id, clock },
                });
            }
        }
        if self.rule == Rule::Conservative {
            return Ok(());
        }
        for &id in ids {
            let label = self.agents[id.index()].label;
            self.agents[label.index()].tally += 1;
        }
        let mut result = Ok(());
        for &id in ids {
            let label = &self.agents[self.agents[id.index()].label.index()];
            if result.is_ok() && label.tally != label.cluster_size {
                let (given, size) = (label.tally, label.cluster_size);
                result = Err(Error::PartialCluster { agent: id, given, size });
            }
        }
        for &id in ids {
            let label = self.agents[id.index()].label;
            self.agents[label.index()].tally = 0;
        }
        result
    }

    pub(crate) fn check_move(&self, id: AgentId, to: S::Position) -> Result<(), Error> {
        let entry = self.index.entry(id);
        self.check_position(id, Some(entry.clock), to)?;
        let speed = self.agents[id.index()].footprint.speed;
        if entry.clock == Step::MAX - 1 {
            return Err(Error::TooMany { what: "steps", limit: Step::MAX - 1 });
        }
        // Only half of the slack is for the move; the other half outweighs rounding, so that no
        // move brings two agents closer than the bounds compared before it count on.
        let limit = speed * (1.0 - S::SLACK / 2.0);
        if !self.index.space().within(entry.position, to, limit) {
            let distance = self.index.space().distance(entry.position, to);
            return Err(Error::OverSpeed { agent: id, clock: entry.clock, distance, speed });
        }
        Ok(())
    }

    fn check_position(
        &self,
        id: AgentId,
        clock: Option<Step>,
        position: S::Position,
    ) -> Result<(), Error> {
        self.index.space().check(position).map_err(|fault| Error::BadPosition {
            agent: id,
            clock,
            position: S::real(position),
            fault,
        })
    }

    pub(crate) fn check_new(
        &self,
        id: AgentId,
        agent: &NewAgent<S::Position>,
    ) -> Result<(), Error> {
        self.check_position(id, None, agent.position)?;
        if id.0 >= u32::MAX - 1 {
            return Err(Error::TooMany { what: "agents", limit: u32::MAX - 1 });
        }
        if agent.world > AgentId::WORLDS_MAX {
            return Err(Error::TooMany { what: "worlds", limit: AgentId::WORLDS_MAX });
        }
        let Footprint { sight, reach, speed } = agent.footprint;
        for (what, value) in [("sight", sight), ("speed", speed), ("reach", reach)] {
            let demand = if !value.is_finite() || value < 0.0 {
                "a finite number, at least 0"
            } else if value > FOOTPRINT_MAX {
                "at most 1073741824"
            } else if S::SLACK == 0.0 && libm::floor(value) < value {
                "a whole number on a grid or graph (round it up, or use real positions)"
            } else {
                continue;
            };
            return Err(Error::BadFootprint { agent: id, what, value, demand });
        }
        if reach < speed {
            let demand = "at least the speed, because moving somewhere is an effect there";
            return Err(Error::BadFootprint { agent: id, what: "reach", value: reach, demand });
        }
        if self.rule == Rule::Compatibility && !self.agents.is_empty() {
            let widest = self.widest;
            for (what, value, limit) in [
                ("sight", sight, widest.sight),
                ("reach", reach, widest.reach),
                ("speed", speed, widest.speed),
            ] {
                if value > limit {
                    let demand = "at most the largest of the first agents', which the \
                                  compatibility rule uses for all";
                    return Err(Error::BadFootprint { agent: id, what, value, demand });
                }
            }
        }
        Ok(())
    }
}
