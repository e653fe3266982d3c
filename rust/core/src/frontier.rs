//! The frontier: the smallest clock of the agents present.

use alloc::collections::VecDeque;

use crate::ids::Step;

/// Counts the agents present by clock, from the smallest on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Frontier {
    smallest: Step,
    counts: VecDeque<u32>,
}

impl Frontier {
    /// The smallest clock; while nobody is present, the last such.
    pub(crate) fn smallest(&self) -> Step {
        self.smallest
    }

    /// Number of agents present.
    pub(crate) fn present(&self) -> u32 {
        self.counts.iter().sum()
    }

    /// Somebody with this clock joins.
    pub(crate) fn join(&mut self, clock: Step) {
        if self.counts.is_empty() {
            self.smallest = clock;
        }
        while clock < self.smallest {
            self.counts.push_front(0);
            self.smallest -= 1;
        }
        let at = (clock - self.smallest) as usize;
        if at >= self.counts.len() {
            self.counts.resize(at + 1, 0);
        }
        self.counts[at] += 1;
    }

    /// Somebody with this clock leaves.
    pub(crate) fn leave(&mut self, clock: Step) {
        self.counts[(clock - self.smallest) as usize] -= 1;
        if self.counts.iter().all(|&count| count == 0) {
            self.counts.clear();
        }
        self.trim();
    }

    /// Somebody with this clock finishes its step.
    pub(crate) fn advance(&mut self, clock: Step) {
        let at = (clock - self.smallest) as usize;
        if at + 1 >= self.counts.len() {
            self.counts.push_back(0);
        }
        self.counts[at + 1] += 1;
        self.counts[at] -= 1;
        self.trim();
    }

    fn trim(&mut self) {
        while self.counts.front() == Some(&0) {
            self.counts.pop_front();
            self.smallest += 1;
        }
    }
}
