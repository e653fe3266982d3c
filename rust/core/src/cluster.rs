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
use crate::metric::Space;
use crate::rule;
use crate::scheduler::{Scheduler, Status};
use crate::story::Happening;

impl<S: Space> Scheduler<S> {
    /// Makes the cluster around a held agent ready, if no member is blocked.
    pub(crate) fn try_cluster(&mut self, id: AgentId, newly_ready: &mut Vec<AgentId>) {
        self.batch += 1;
        self.agents[id.index()].mark = self.batch;
        let mut members = vec![id];
        let mut at = 0;
        while at < members.len() {
            for other in self.coupled(members[at]) {
                if self.agents[other.index()].mark == self.batch {
                    continue;
                }
                if self.agents[other.index()].status != Status::Held {
                    // Blocked: its own unblocking comes back here.
                    self.log.record(id, self.clock_of(id), Happening::Unblocked);
                    return;
                }
                self.agents[other.index()].mark = self.batch;
                members.push(other);
            }
            at += 1;
        }
        members.sort_unstable();
        self.make_ready(&members, newly_ready);
    }

    /// The others that must advance together with this agent, directly.
    pub(crate) fn coupled(&self, id: AgentId) -> Vec<AgentId> {
        let me = self.index.entry(id);
        let bound = rule::coupling_bound(&self.widest);
        let mut coupled = Vec::new();
        self.index.search(
            me.world,
            me.position,
            |clock| (clock <= me.clock).then_some(bound),
            |other, entry| {
                if other != id
                    && entry.clock == me.clock
                    && self.index.space().within(me.position, entry.position, bound)
                {
                    coupled.push(other);
                }
                ControlFlow::Continue(())
            },
        );
        coupled
    }

    /// After somebody has left: what it held together or held back is grouped anew.
    pub(crate) fn regroup_around(
        &mut self,
        left: AgentId,
        was: Status,
        newly_ready: &mut Vec<AgentId>,
    ) {
        let neighbours = self.coupled(left);
        if was == Status::Ready {
            // The rest of its cluster may fall apart; each part is as unblocked as before.
            let label = self.agents[left.index()].label;
            let mut rest = Vec::new();
            for i in 0..self.ready.len() {
                let id = self.ready[i];
                if self.agents[id.index()].label == label {
                    rest.push(id);
                }
            }
            rest.sort_unstable();
            for &id in &rest {
                self.unready(id);
                self.agents[id.index()].status = Status::Held;
            }
            for id in rest {
                if self.agents[id.index()].status == Status::Held {
                    let mut again = Vec::new();
                    self.try_cluster(id, &mut again);
                }
            }
        } else {
            for id in neighbours {
                if self.agents[id.index()].status == Status::Held {
                    self.try_cluster(id, newly_ready);
                }
            }
        }
    }
}
