//! **The rule: who may start a step while others are behind.** Everything else in this crate
//! exists to apply it fast, and nothing else restates it.
//!
//! Agent A stands at `p` and is about to start step `a` (its clock). Agent B stands at `q` with
//! clock `b`; the *lag* of B is `a - b`. Each agent declares a [`Footprint`]: how far it reads,
//! writes and moves in one step.
//!
//! ```text
//!          speed·(lag-1)      reach        sight
//!        B ------------> . ~~~~~~~~~> | <---------- A
//!        where B can be    what it      what A
//!        at step a-1       can touch    looks at
//! ```
//!
//! **Conservative rule** (versioned world: everybody reads the snapshot of its own step). B blocks
//! A iff `b < a` and `dist(p, q) <= max(sight_A, speed_A) + reach_B + (lag - 1) * speed_B`.
//! At its last unfinished step before `a`, that is `a - 1`, B stands within `(lag - 1) * speed_B`
//! of `q` and touches only what is within `reach_B` of there. A reads within `sight_A` of `p`, and
//! receives messages sent to where it stood one step ago, which is within `speed_A` of `p`.
//!
//! **Compatibility rule** (one world changed in place, the published rule). Besides, an agent
//! ahead must not change what one behind has yet to read, so the bound is larger by one step's
//! reach and equals must move together:
//! blocked iff `b < a` and `dist <= r + reach + lag * speed`; coupled iff `a == b` and
//! `dist <= r + reach`, with `r = max(sight, reach)` and the largest footprint of all agents.
//! With `reach == speed` this is the published `radius + (lag + 1) * speed`.
//!
//! Agents ahead (`b > a`) never block, so whoever has the smallest clock may always go: there is
//! no deadlock. What B can still reach only shrinks as B goes on (each of its steps takes `speed`
//! from the bound and adds at most `speed` to what the distance lost), so an agent once free
//! stays free, and it is enough for a blocked agent to wait for *one* blocker.
//!
//! The rule is safe when `dist` is the metric perception is limited by (`dist <= sight` for all an
//! agent can perceive) and when nobody exceeds its footprint, which the scheduler checks for moves.
//!
//! ```
//! use headway_core::rule::{conservative_bound, Footprint};
//! let villager = Footprint { sight: 4.0, reach: 1.0, speed: 1.0 };
//! // Somebody one step behind can matter up to 4 + 1 tiles away, five steps behind up to 9.
//! assert_eq!(conservative_bound(&villager, &villager, 1), 5.0);
//! assert_eq!(conservative_bound(&villager, &villager, 5), 9.0);
//! ```

use crate::ids::Step;

/// Which of the two rules a scheduler applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// For a versioned world: agents wait only for what could still change what they will read.
    Conservative,
    /// For a world changed in place: agents near each other advance together, as a cluster.
    Compatibility,
}

/// How far an agent reads, writes and moves in one step, in the unit of the positions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Footprint {
    /// It perceives nothing farther away than this.
    pub sight: f64,
    /// Its effects (writes, messages) go no farther than this. At least `speed`.
    pub reach: f64,
    /// It moves no farther than this in one step.
    pub speed: f64,
}

impl Footprint {
    /// The smallest footprint that covers both.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self {
            sight: self.sight.max(other.sight),
            reach: self.reach.max(other.reach),
            speed: self.speed.max(other.speed),
        }
    }
}

/// Distance up to which B, `lag >= 1` steps behind A, blocks A in a versioned world.
#[must_use]
pub fn conservative_bound(a: &Footprint, b: &Footprint, lag: Step) -> f64 {
    a.sight.max(a.speed) + b.reach + f64::from(lag - 1) * b.speed
}

/// Distance up to which somebody `lag >= 1` steps behind blocks in a world changed in place;
/// `all` covers every agent's footprint.
#[must_use]
pub fn compatibility_bound(all: &Footprint, lag: Step) -> f64 {
    coupling_bound(all) + f64::from(lag) * all.speed
}

/// Distance up to which agents with equal clocks must advance together in a world changed in
/// place; `all` covers every agent's footprint.
#[must_use]
pub fn coupling_bound(all: &Footprint) -> f64 {
    all.sight.max(all.reach) + all.reach
}

/// Number of steps a blocker of this speed must make before whom it blocks can be free: each takes
/// `speed` from the bound and adds at most `speed` to the distance.
///
/// `slack` is the relative rounding error of `bound` and `distance`, 0 where they are whole
/// numbers. The blocked agent is free at the latest when the blocker has caught up.
#[must_use]
pub fn steps_until_release(bound: f64, distance: f64, speed: f64, slack: f64) -> Step {
    if speed <= 0.0 {
        return Step::MAX;
    }
    // Rounding may only ever make the blocked agent look too early, never too late.
    let deficit = (bound - distance) - 2.0 * slack * (bound + distance);
    let steps = (deficit.max(0.0) / (2.0 * speed)).min(f64::from(Step::MAX - 1));
    steps as Step + 1
}

/// Distance up to which a newcomer that joins at `step` could still affect what A has read.
///
/// Under the compatibility rule `a` is the footprint that covers everybody's, the newcomer's
/// included. `a_clock` is A's clock and `a_told` the first and the last of the steps that A has
/// executed, is executing, or was told it may execute, if any; before `step` the newcomer cannot
/// matter, which is `None`. In a world changed in place A also must not be behind and see the
/// newcomer too early.
///
/// At each step `t` that A read, it stood within `(a_clock - t) * speed_A` of its place. It saw the
/// newcomer where that joined (`t = step`, if A had joined by then) and could meet its effects at
/// `t = step + lag` as somebody `lag` steps ahead does. That second bound is linear in `t`, so of
/// the steps after `step` that A read, the first or the last has the largest. In a world changed in
/// place all share one speed, and the bound is the same for every `t`. Either way it does not grow
/// with `step`.
#[must_use]
pub fn joining_bound(
    rule: Rule,
    a: &Footprint,
    newcomer: &Footprint,
    a_clock: Step,
    a_told: Option<(Step, Step)>,
    step: Step,
) -> Option<f64> {
    if rule == Rule::Compatibility && a_clock < step {
        return Some(compatibility_bound(a, step - a_clock));
    }
    let (first, last) = a_told.filter(|(_, last)| *last >= step)?;
    Some(match rule {
        Rule::Compatibility => compatibility_bound(a, a_clock - step + 1),
        Rule::Conservative => {
            let walked = |t: Step| f64::from(a_clock - t) * a.speed;
            let seen = if first <= step { a.sight + walked(step) } else { 0.0 };
            let met = |t: Step| conservative_bound(a, newcomer, t - step) + walked(t);
            if last == step { seen } else { seen.max(met(first.max(step + 1))).max(met(last)) }
        }
    })
}

/// Distance up to which an agent that executes a step `t` may bring somebody about, who joins at
/// step `t + 1`, as an effect of that step; `None` where the child is too fast for its parent.
///
/// Whoever was told it may read a step `s > t` is farther from the parent than
/// `m + reach + (s - t - 1) * speed`, where `m` is how far it reads and the rest is the parent's,
/// because the parent, at clock `t` or before, did not block it. At `s = t + 1` it could see the
/// child if within `m` of it, which a child within the parent's `reach` rules out. Later it could
/// meet the child's effects if within `m + reach_C + (s - t - 2) * speed_C` of it. As a child no
/// faster than its parent gains nothing as `s` grows, `s = t + 2` decides, and there the parent's
/// bound is larger by one `speed`. So the child blocks nobody whom its parent did not block, and
/// the same holds for its own children. Unlike for [`joining_bound`], nobody's clock or place
/// matters: whether and when the child joins is the same in every order of execution.
#[must_use]
pub fn spawning_bound(parent: &Footprint, child: &Footprint) -> Option<f64> {
    let beyond = (child.reach - parent.speed).max(0.0);
    (child.speed <= parent.speed).then_some(parent.reach - beyond)
}
