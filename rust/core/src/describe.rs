//! All that later answers depend on, as bytes: for whoever explores many runs and must tell
//! whether two of them have come to the same state.

use alloc::vec::Vec;

use crate::ids::AgentId;
use crate::index::{Entry, Index, NONE};
use crate::metric::Space;
use crate::rule::Footprint;
use crate::scheduler::{Agent, Scheduler, Status};

impl<S: Space> Scheduler<S> {
    /// Appends bytes that determine every later answer, stories aside: where they are equal for
    /// two schedulers of one space and rule, equal calls get equal answers from then on. They are
    /// good for this comparison only, within one version of this crate.
    ///
    /// What is left out follows from the rest or matters only within a call: the counter of batches
    /// and the marks compared with it, the widest footprint, the order in which ready agents are
    /// listed (they come out sorted), the shape of heaps of waiters (they come out by wake clock
    /// and id). Which of several blockers is met first, and so waited for, also hangs on the order
    /// in which the agents of one cell or node are listed: that is in.
    pub fn describe(&self, out: &mut Vec<u8>) {
        // With nobody present, it does not follow from the clocks.
        out.extend(self.frontier.smallest().to_le_bytes());
        for (i, agent) in self.agents.iter().enumerate() {
            let id = AgentId(i as u32);
            // Whoever adds a field has to say here whether later answers depend on it.
            let Agent {
                footprint,
                status,
                joined,
                label,
                cluster_size: _,
                slot: _,
                mark: _,
                tally: _,
            } = *agent;
            let Entry { position, clock, world, next, layer: _, leaf: _, previous: _ } =
                *self.index.entry(id);
            let moving = matches!(status, Status::Ready | Status::Running);
            let label = if moving { label } else { id };
            let (witness, wake_at) = self.waits.witness(id).unwrap_or((AgentId(NONE), 0));
            let listed_before = if status == Status::Left { NONE } else { next };
            let size = if moving { self.agents[label.index()].cluster_size } else { 0 };
            out.push(status as u8);
            for number in [clock, world, joined, label.0, size, witness.0, wake_at, listed_before] {
                out.extend(number.to_le_bytes());
            }
            let Footprint { sight, reach, speed } = footprint;
            let [x, y] = S::real(position);
            for number in [x, y, sight, reach, speed] {
                out.extend(number.to_bits().to_le_bytes());
            }
        }
    }
}
