//! Skipping ahead: successive iterations over the same sequences are one event.

/// Iterations of equal length, one after the other, that no arrival has interrupted yet.
///
/// While nobody can be admitted, nobody finishes, and nobody prefills or one prompt takes all that
/// is left of the budget, the next iteration is a copy of the last. So a stretch runs until the
/// first sequence finishes or the prompt comes to its last chunk, unless it is cut before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stretch {
    /// When the first iteration started, in nanoseconds.
    pub(crate) start: u64,
    /// Of one iteration, in nanoseconds; more than 0.
    pub(crate) duration: u64,
    /// At least 1; with prefill, more only while one prompt takes a full chunk each time.
    pub(crate) iterations: u64,
    /// Prompt tokens in each iteration.
    pub(crate) prefill_tokens: u32,
    /// Sequences that get an output token from each iteration, the ones ending prefill included.
    pub(crate) producing: u32,
}

impl Stretch {
    pub(crate) fn end(&self) -> u64 {
        self.start.saturating_add(self.duration.saturating_mul(self.iterations))
    }

    /// Ends it with the iteration that is under way at `now`.
    ///
    /// On a boundary none is under way (the next one is formed when the clock leaves the boundary),
    /// so there it ends at once.
    pub(crate) fn cut(&mut self, now: u64) {
        debug_assert!(self.start < now, "Invariant: a stretch is formed as the clock leaves");
        let begun = (now - self.start).div_ceil(self.duration).max(1);
        self.iterations = self.iterations.min(begun);
    }

    /// How many of its iterations have ended by `now`.
    pub(crate) fn ended_by(&self, now: u64) -> u64 {
        ((now - self.start) / self.duration).min(self.iterations)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRETCH: Stretch =
        Stretch { start: 100, duration: 10, iterations: 5, prefill_tokens: 0, producing: 1 };

    #[test]
    fn a_cut_keeps_the_iteration_under_way() {
        for (now, end) in [(101, 110), (110, 110), (111, 120), (149, 150), (150, 150)] {
            let mut stretch = STRETCH;
            stretch.cut(now);
            assert_eq!(stretch.end(), end, "cut at {now}");
            stretch.cut(now);
            assert_eq!(stretch.end(), end, "cut twice at {now}");
        }
    }

    #[test]
    fn iterations_ended_are_counted_on_the_boundary() {
        assert_eq!([100, 109, 110, 149, 150].map(|now| STRETCH.ended_by(now)), [0, 0, 1, 4, 5]);
    }
}
