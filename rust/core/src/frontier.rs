//! The frontier: the smallest clock of the agents present.

use alloc::collections::BTreeMap;

use crate::ids::Step;

/// Counts the agents present by clock. A tree, because clocks may lie far apart: somebody may join
/// a million steps ahead.
#[derive(Clone, Debug, Default)]
pub(crate) struct Frontier {
    smallest: Step,
    counts: BTreeMap<Step, u32>,
}

impl Frontier {
    /// The smallest clock; while nobody is present, the last such.
    pub(crate) fn smallest(&self) -> Step {
        self.smallest
    }

    /// Number of agents present.
    pub(crate) fn present(&self) -> u32 {
        self.counts.values().sum()
    }

    /// Somebody with this clock joins.
    pub(crate) fn join(&mut self, clock: Step) {
        *self.counts.entry(clock).or_default() += 1;
        self.settle();
    }

    /// Somebody with this clock leaves.
    pub(crate) fn leave(&mut self, clock: Step) {
        let count = self.counts.get_mut(&clock).expect("Invariant: a clock left is counted");
        *count -= 1;
        if *count == 0 {
            self.counts.remove(&clock);
        }
        self.settle();
    }

    /// Somebody with this clock finishes its step.
    pub(crate) fn advance(&mut self, clock: Step) {
        self.join(clock + 1);
        self.leave(clock);
    }

    fn settle(&mut self) {
        if let Some((&clock, _)) = self.counts.first_key_value() {
            self.smallest = clock;
        }
    }
}
