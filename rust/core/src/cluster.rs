//! Clusters: groups of agents near each other at the same step, which the compatibility rule lets
//! advance only together.
//!
//! A cluster is the connected group of coupled agents among *all* idle agents of its step, blocked
//! or not; it may start once no member is blocked. Taking only the unblocked ones would let an
//! agent leave a blocked neighbour behind and change what that one has yet to read.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::ControlFlow;

use crate::ids::AgentId;
use crate::index::Index;
use crate::metric::Space;
use crate::rule;
use crate::scheduler::{Agent, Scheduler, Status};
use crate::story::Happening;

impl<S: Space> Scheduler<S> {
    /// Makes the clusters of those ready who were found unblocked in this call and whose members
    /// all are.
    pub(crate) fn form_clusters(&mut self, newly_ready: &mut Vec<AgentId>) {
        let since = self.batch;
        for i in 0..self.unblocked.len() {
            let id = self.unblocked[i];
            if self.agents[id.index()].status == Status::Held {
                self.try_cluster(id, since, newly_ready);
            }
        }
        self.unblocked.clear();
    }

    /// Makes the cluster around a held agent ready, if no member is blocked.
    ///
    /// Members found together with a blocked one carry a mark later than `since`: whoever meets
    /// them is in the same cluster, so each is walked over once.
    fn try_cluster(&mut self, id: AgentId, since: u64, newly_ready: &mut Vec<AgentId>) {
        let mut blocked = self.agents[id.index()].mark > since;
        self.batch += 1;
        self.agents[id.index()].mark = self.batch;
        let mut members = vec![id];
        let mut at = 0;
        while !blocked && at < members.len() {
            for other in self.coupled(members[at]) {
                let Agent { status, mark, .. } = self.agents[other.index()];
                match status {
                    _ if mark == self.batch => {}
                    Status::Held if mark <= since => {
                        self.agents[other.index()].mark = self.batch;
                        members.push(other);
                    }
                    // A blocked member's own unblocking comes back here.
                    Status::Held | Status::Blocked => blocked = true,
                    // Nobody comes that close to those who may go already, but for a rounding
                    // error; waiting for them would have no end.
                    Status::Ready | Status::Running | Status::Left => {}
                }
            }
            at += 1;
        }
        if blocked {
            self.log.record(id, self.clock_of(id), Happening::Unblocked);
        } else {
            members.sort_unstable();
            self.make_ready(&members, newly_ready);
        }
    }

    /// The others that must advance together with this agent, directly.
    pub(crate) fn coupled(&self, id: AgentId) -> Vec<AgentId> {
        let me = self.index.entry(id);
        let bound = rule::coupling_bound(&self.widest);
        let mut coupled = Vec::new();
        self.index.search(
            me.world,
            me.position,
            |clock, _| (clock <= me.clock).then_some(bound),
            |other, entry| (other != id && entry.clock == me.clock).then_some(bound),
            |other, _, _| {
                coupled.push(other);
                ControlFlow::Continue(())
            },
        );
        coupled
    }

    /// Takes the cluster of a ready agent back, because its members are about to change.
    pub(crate) fn break_cluster(&mut self, id: AgentId) {
        if self.agents[id.index()].status == Status::Ready {
            self.unready_cluster(self.agents[id.index()].label);
        }
    }

    /// Makes the ready agents of a cluster held, and returns them by id.
    fn unready_cluster(&mut self, label: AgentId) -> Vec<AgentId> {
        let in_cluster = |id: &AgentId| self.agents[id.index()].label == label;
        let mut members: Vec<_> = self.ready.iter().copied().filter(in_cluster).collect();
        members.sort_unstable();
        for &id in &members {
            self.unready(id);
            self.agents[id.index()].status = Status::Held;
        }
        members
    }

    /// After somebody has left: what it held together or held back is grouped anew.
    pub(crate) fn regroup_around(&mut self, left: AgentId, was: Status) {
        if was == Status::Ready {
            // The rest of its cluster may fall apart; each part is as unblocked as before.
            let rest = self.unready_cluster(self.agents[left.index()].label);
            for id in rest {
                if self.agents[id.index()].status == Status::Held {
                    let mut again = Vec::new();
                    self.try_cluster(id, self.batch, &mut again);
                }
            }
        } else {
            let neighbours = self.coupled(left);
            self.unblocked.extend(neighbours);
        }
    }
}
