//! The bounds of the rule for all small whole footprints, against the inequalities written out:
//! a walk over every step that is still to come, not a formula.

mod common;

use headway_core::rule::{
    compatibility_bound, conservative_bound, coupling_bound, joining_bound, steps_until_release,
};
use headway_core::{Footprint, Rule};

fn footprint(sight: u32, more: u32, speed: u32) -> Footprint {
    let [sight, reach, speed] = [sight, speed + more, speed].map(f64::from);
    Footprint { sight, reach, speed }
}

/// The farthest start of B from which something it does in steps `b..a` touches what A reads.
fn touched(a: &Footprint, b: &Footprint, lag: u32) -> f64 {
    (0..lag).map(|s| f64::from(s) * b.speed + b.reach + a.sight.max(a.speed)).fold(0.0, f64::max)
}

#[test]
fn a_blocker_is_whoever_can_touch_what_is_read() {
    for (sight, more, speed, b_more, b_speed, lag) in common::product([4, 3, 4, 3, 4, 6]) {
        let (a, b) = (footprint(sight, more, speed), footprint(0, b_more, b_speed));
        let expected = touched(&a, &b, lag + 1);
        assert_eq!(conservative_bound(&a, &b, lag + 1).to_bits(), expected.to_bits());
    }
}

#[test]
fn in_a_world_changed_in_place_one_ahead_must_not_be_met_either() {
    for (sight, more, speed, lag, _, _) in common::product([5, 4, 4, 7, 1, 1]) {
        let all = footprint(sight, more, speed);
        // At each step up to the one the agent ahead is about to do, the one behind has come
        // closer and reads or writes; the one ahead reads and writes where it is.
        let expected = (0..=lag)
            .map(|s| f64::from(s) * all.speed + all.sight.max(all.reach) + all.reach)
            .fold(0.0, f64::max);
        assert_eq!(compatibility_bound(&all, lag).to_bits(), expected.to_bits());
        assert_eq!(compatibility_bound(&all, 0).to_bits(), coupling_bound(&all).to_bits());
        if more == 0 {
            let radius = f64::from(sight.max(speed));
            let published = radius + f64::from(lag + 1) * f64::from(speed);
            assert_eq!(compatibility_bound(&all, lag).to_bits(), published.to_bits());
        }
    }
}

#[test]
fn nobody_is_released_before_the_bound_can_be_exceeded() {
    for (bound, distance, speed, _, _, _) in common::product([30, 30, 4, 1, 1, 1]) {
        if distance > bound {
            continue;
        }
        let [b, d, v] = [bound, distance, speed].map(f64::from);
        let steps = steps_until_release(b, d, v, 0.0);
        let first = (1..=31).find(|&k| d + f64::from(k) * v > b - f64::from(k) * v);
        assert_eq!(steps, first.unwrap_or(u32::MAX), "{bound} {distance} {speed}");
        let leaning = steps_until_release(b, d, v, 1e-7);
        assert!(leaning <= steps && leaning >= 1);
    }
}

#[test]
fn rounding_makes_a_release_early_at_worst() {
    let slack = 1e-7;
    for (speed, steps, distance, off, _, _) in common::product([5, 9, 40, 7, 1, 1]) {
        // A deficit that falls just short of what some number of steps makes up for, or passes it.
        let [distance, speed] = [f64::from(distance) * 0.7, f64::from(speed) * 0.3 + 0.1];
        let deficit = 2.0 * speed * f64::from(steps) + (f64::from(off) - 3.0) * 1e-9;
        let bound = distance + deficit.max(0.0);
        let exact = steps_until_release(bound, distance, speed, 0.0);
        for (by, other) in common::product([3, 3, 1, 1, 1, 1]).map(|p| (p.0, p.1)) {
            let [by, other] = [by, other].map(|by| 1.0 + (f64::from(by) - 1.0) * slack);
            let found = steps_until_release(bound * by, distance * other, speed, slack);
            assert!(found <= exact, "late: {found}, not {exact}: {bound} {distance} {speed}");
            assert!(found + 1 >= exact, "{found}, not {exact}: {bound} {distance} {speed}");
        }
    }
}

#[test]
fn a_newcomer_is_kept_from_all_that_has_been_read() {
    for (sight, speed, n_more, n_speed, step, code) in common::product([4, 4, 3, 5, 7, 16]) {
        let (more, joined) = (code % 2, code / 2);
        let (a, newcomer) = (footprint(sight, 0, speed), footprint(0, n_more, n_speed));
        let clock = 6;
        let last = 5 + more; // 6: it runs, or was told it may
        let told = (joined <= last).then_some((joined, last));
        let found = joining_bound(Rule::Conservative, &a, &newcomer, clock, told, step);
        // Every step that A has read, and where it can have stood then.
        let expected = (step.max(joined)..=last)
            .map(|t| {
                let walked = f64::from(clock - t) * a.speed;
                let read = if t == step { a.sight } else { touched(&a, &newcomer, t - step) };
                read + walked
            })
            .reduce(f64::max);
        assert_eq!(found, expected, "{a:?} {newcomer:?} {step} {told:?}");
        assert_eq!(joining_bound(Rule::Conservative, &a, &newcomer, 0, None, step), None);
    }
}
