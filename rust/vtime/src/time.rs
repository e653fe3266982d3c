//! Virtual time is counted in whole nanoseconds and shown in seconds.
//!
//! Whole numbers because their addition is exact in any grouping: `k` iterations handled at once
//! end at the very instant at which `k` single ones would, so skipping ahead cannot change a
//! result, not even the order of two completions that fall together. Each iteration is rounded to
//! the nearest nanosecond, some 1e-8 of its length. A clock of 64 bits lasts 584 years; there it
//! stops.

const NS_PER_SECOND: f64 = 1e9;

/// To the nearest nanosecond; a negative time counts as 0.
///
/// Gives back what [`seconds`] was given, for the first 26 days.
pub(crate) fn nanoseconds(seconds: f64) -> u64 {
    // The cast truncates and saturates; `f64::round` does not exist without std.
    (seconds * NS_PER_SECOND + 0.5) as u64
}

/// The `f64` nearest to so many nanoseconds.
pub(crate) fn seconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / NS_PER_SECOND
}

/// The same for a sum over many requests.
pub(crate) fn seconds_of_sum(nanoseconds: u128) -> f64 {
    nanoseconds as f64 / NS_PER_SECOND
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_back_is_the_same_instant() {
        let mut ns = 1_u64;
        while ns < 26 * 24 * 3600 * 1_000_000_000 {
            assert_eq!(nanoseconds(seconds(ns)), ns);
            ns += ns / 1000 + 1;
        }
    }
}
