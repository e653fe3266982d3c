//! Who waits for whom, and until when: every blocked agent waits for one blocker (its *witness*)
//! to reach a clock at which it could be free, and is examined again then.
//!
//! One pairing heap per witness, ordered by (wake clock, agent), threaded through per-agent links:
//! a blocker with ten thousand waiters pays only for those whose time has come. A witness has a
//! smaller clock than its waiters, so the waits form a forest; each agent also knows how many it
//! *holds up*, directly and through others.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::ids::{AgentId, Step};

const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Links {
    /// The witness waited for, or `NONE`.
    on: u32,
    wake_at: Step,
    /// Pairing heap among the waiters of one witness.
    child: u32,
    sibling: u32,
    /// Root of the heap of this agent's own waiters.
    waiters: u32,
    held_up: u32,
}

/// The waits of all agents.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waits {
    links: Vec<Links>,
}

impl Waits {
    /// Adds the next agent, who neither waits nor holds anybody up.
    pub(crate) fn push_agent(&mut self) {
        self.links.push(Links {
            on: NONE,
            wake_at: 0,
            child: NONE,
            sibling: NONE,
            waiters: NONE,
            held_up: 0,
        });
    }

    /// How many agents wait for this one, directly or through others.
    pub(crate) fn held_up(&self, agent: AgentId) -> u32 {
        self.links[agent.index()].held_up
    }

    /// The witness this agent waits for, and the clock of it at which it is examined again.
    pub(crate) fn witness(&self, agent: AgentId) -> Option<(AgentId, Step)> {
        let link = &self.links[agent.index()];
        (link.on != NONE).then_some((AgentId(link.on), link.wake_at))
    }

    /// Lets `agent` wait until `witness` has reached the clock `wake_at`.
    pub(crate) fn wait(&mut self, agent: AgentId, witness: AgentId, wake_at: Step) {
        let link = &mut self.links[agent.index()];
        debug_assert!(link.on == NONE, "Invariant: an agent waits for one witness at a time");
        (link.on, link.wake_at, link.child, link.sibling) = (witness.0, wake_at, NONE, NONE);
        let weight = link.held_up + 1;
        self.weigh(witness, |held_up| held_up + weight);
        let heap = self.links[witness.index()].waiters;
        self.links[witness.index()].waiters = self.meld(heap, agent.0);
    }

    /// Ends the wait of one agent whose time has come, the earliest first; `None` when none
    /// is left.
    pub(crate) fn release_due(&mut self, witness: AgentId, clock: Step) -> Option<AgentId> {
        let first = self.links[witness.index()].waiters;
        (first != NONE && self.links[first as usize].wake_at <= clock)
            .then(|| self.release_first(witness))
    }

    /// Ends all waits for this agent; they come out in heap order.
    pub(crate) fn release_all(&mut self, witness: AgentId, released: &mut Vec<AgentId>) {
        while self.links[witness.index()].waiters != NONE {
            released.push(self.release_first(witness));
        }
    }

    /// Ends the wait of one particular agent. Costs as much as its witness has waiters.
    pub(crate) fn cancel(&mut self, agent: AgentId) {
        let Some((witness, _)) = self.witness(agent) else { return };
        let mut others = Vec::new();
        let mut until = Vec::new();
        while self.links[witness.index()].waiters != NONE {
            let other = self.release_first(witness);
            if other != agent {
                others.push(other);
                until.push(self.links[other.index()].wake_at);
            }
        }
        for (other, wake_at) in others.into_iter().zip(until) {
            self.wait(other, witness, wake_at);
        }
    }

    fn release_first(&mut self, witness: AgentId) -> AgentId {
        let first = self.links[witness.index()].waiters;
        let rest = self.links[first as usize].child;
        let weight = self.links[first as usize].held_up + 1;
        self.links[witness.index()].waiters = self.meld_pairs(rest);
        let link = &mut self.links[first as usize];
        (link.on, link.child, link.sibling) = (NONE, NONE, NONE);
        self.weigh(witness, |held_up| held_up - weight);
        AgentId(first)
    }

    /// Applies a change to the counts of an agent and of all it waits for through others.
    fn weigh(&mut self, agent: AgentId, change: impl Fn(u32) -> u32) {
        let mut at = agent.0;
        while at != NONE {
            let link = &mut self.links[at as usize];
            link.held_up = change(link.held_up);
            at = link.on;
        }
    }

    fn key(&self, at: u32) -> (Step, u32) {
        (self.links[at as usize].wake_at, at)
    }

    /// Joins two heaps (roots without siblings) and returns the root.
    fn meld(&mut self, a: u32, b: u32) -> u32 {
        if a == NONE {
            return b;
        }
        if b == NONE {
            return a;
        }
        let (top, under) = if self.key(a) <= self.key(b) { (a, b) } else { (b, a) };
        self.links[under as usize].sibling = self.links[top as usize].child;
        self.links[top as usize].child = under;
        top
    }

    /// Joins a list of siblings into one heap: in pairs from the left, then all from the right.
    fn meld_pairs(&mut self, mut list: u32) -> u32 {
        // The pairs are kept as a list in reverse, threaded through `sibling`, so that the second
        // pass meets the last pair first.
        let mut pairs = NONE;
        while list != NONE {
            let a = list;
            let b = self.links[a as usize].sibling;
            list = if b == NONE { NONE } else { self.links[b as usize].sibling };
            self.links[a as usize].sibling = NONE;
            if b != NONE {
                self.links[b as usize].sibling = NONE;
            }
            let pair = self.meld(a, b);
            self.links[pair as usize].sibling = pairs;
            pairs = pair;
        }
        let mut heap = NONE;
        while pairs != NONE {
            let next = self.links[pairs as usize].sibling;
            self.links[pairs as usize].sibling = NONE;
            heap = self.meld(heap, pairs);
            pairs = next;
        }
        heap
    }

    /// Re-derives heap order, membership and counts; the first disagreement is the error.
    pub(crate) fn validate(&self) -> Result<(), String> {
        let mut held_up = alloc::vec![0_u32; self.links.len()];
        let mut waiting = alloc::vec![0_u32; self.links.len()];
        for (agent, link) in self.links.iter().enumerate() {
            let mut at = link.on;
            let mut hops = 0;
            if at != NONE {
                waiting[at as usize] += 1;
            }
            while at != NONE {
                held_up[at as usize] += 1;
                at = self.links[at as usize].on;
                hops += 1;
                if hops > self.links.len() {
                    return Err(format!("agent {agent} waits in a circle"));
                }
            }
        }
        for (agent, link) in self.links.iter().enumerate() {
            if link.held_up != held_up[agent] {
                return Err(format!(
                    "agent {agent} is said to hold up {}, it holds up {}",
                    link.held_up, held_up[agent]
                ));
            }
            let mut pending = alloc::vec![(link.waiters, (0, 0))];
            let mut members = 0;
            while let Some((at, above)) = pending.pop() {
                if at == NONE {
                    continue;
                }
                let waiter = &self.links[at as usize];
                if waiter.on as usize != agent || self.key(at) < above {
                    return Err(format!("agent {at} is misplaced among the waiters of {agent}"));
                }
                members += 1;
                pending.push((waiter.child, self.key(at)));
                pending.push((waiter.sibling, above));
            }
            if members != waiting[agent] {
                return Err(format!(
                    "{} agents wait for {agent}, it lists {members}",
                    waiting[agent]
                ));
            }
        }
        Ok(())
    }
}
