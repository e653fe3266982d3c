//! Re-derives every stored fact from positions, clocks and the rule.

use alloc::format;
use alloc::string::String;

use crate::error::Error;
use crate::ids::AgentId;
use crate::index::Index;
use crate::metric::Space;
use crate::rule::Rule;
use crate::scheduler::{Scheduler, Status};

impl<S: Space> Scheduler<S> {
    /// Checks every stored fact and every invariant; costs about as much as examining everybody.
    ///
    /// # Errors
    /// `Invariant` with the first disagreement, which is a bug of this crate.
    pub fn validate(&self) -> Result<(), Error> {
        let bug = |what| Error::Invariant { what };
        self.index.validate().map_err(bug)?;
        self.waits.validate().map_err(bug)?;
        self.validate_frontier().map_err(bug)?;
        for i in 0..self.agents.len() {
            self.validate_agent(AgentId(i as u32)).map_err(bug)?;
        }
        Ok(())
    }

    fn validate_frontier(&self) -> Result<(), String> {
        let mut present = 0;
        let mut smallest = None;
        for i in 0..self.index.count() {
            let entry = self.index.entry(AgentId(i as u32));
            if entry.is_present() {
                present += 1;
                smallest = Some(smallest.map_or(entry.clock, |c: u32| c.min(entry.clock)));
            }
        }
        let counted = self.frontier.present();
        if counted != present {
            return Err(format!("{counted} agents are counted by clock, {present} are present"));
        }
        if smallest.is_some_and(|clock| clock != self.frontier.smallest()) {
            return Err(format!(
                "the frontier is said to be {}, it is {smallest:?}",
                self.frontier.smallest()
            ));
        }
        let ready = self.agents.iter().filter(|agent| agent.status == Status::Ready).count();
        if ready != self.ready.len() {
            return Err(format!("{} agents are listed as ready, {ready} are", self.ready.len()));
        }
        Ok(())
    }

    fn validate_agent(&self, id: AgentId) -> Result<(), String> {
        let agent = &self.agents[id.index()];
        let entry = self.index.entry(id);
        if entry.is_present() == (agent.status == Status::Left) {
            return Err(format!("agent {id} is {:?}, the index disagrees", agent.status));
        }
        let witness = self.waits.witness(id);
        if (agent.status == Status::Blocked) != witness.is_some() {
            return Err(format!("agent {id} is {:?} and waits for {witness:?}", agent.status));
        }
        if agent.status == Status::Left {
            return Ok(());
        }
        let blockers = self.blockers(id).map_err(|error| format!("{error}"))?;
        match (agent.status, witness) {
            (Status::Blocked, Some((witness, wake_at)))
                if !blockers.contains(&witness) || self.clock_of(witness) >= wake_at =>
            {
                return Err(format!(
                    "agent {id} waits for {witness} to reach {wake_at}, but {blockers:?} block it"
                ));
            }
            (Status::Blocked, _) => {}
            _ if !blockers.is_empty() => {
                return Err(format!("agent {id} is {:?}, but {blockers:?} block it", agent.status));
            }
            _ => {}
        }
        if self.rule == Rule::Compatibility {
            self.validate_cluster(id)?;
        }
        Ok(())
    }

    fn validate_cluster(&self, id: AgentId) -> Result<(), String> {
        let agent = &self.agents[id.index()];
        for other in self.coupled(id) {
            let other_agent = &self.agents[other.index()];
            let together = other_agent.status == agent.status
                && (agent.status == Status::Held || other_agent.label == agent.label);
            let apart = [agent.status, other_agent.status].contains(&Status::Blocked)
                && ![Status::Ready, Status::Running].contains(&agent.status)
                && ![Status::Ready, Status::Running].contains(&other_agent.status);
            if !together && !apart {
                return Err(format!(
                    "agents {id} and {other} are coupled, but {:?} and {:?}",
                    agent.status, other_agent.status
                ));
            }
        }
        if [Status::Ready, Status::Running].contains(&agent.status) {
            let size = self
                .agents
                .iter()
                .filter(|a| a.label == agent.label && a.status == agent.status)
                .count();
            if size as u32 != self.agents[agent.label.index()].cluster_size {
                return Err(format!("the cluster of agent {id} has {size} members, not as stored"));
            }
        }
        Ok(())
    }
}
