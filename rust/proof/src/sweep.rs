//! Many random worlds, one for each seed: each is run out of order and in lock-step, and what came
//! of it is counted. The counts do not depend on how many threads share the work.

use std::any::Any;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use headway_core::{Rule, Step};

use crate::judge::{Judge, scheduler};
use crate::kind::Kind;
use crate::lockstep::{Change, lockstep};
use crate::run::{Course, out_of_order};
use crate::setting::Setting;
use crate::world::{InPlace, Versioned, World};

/// Runs a world as this judge allows, and tells where it differs from lock-step.
pub fn against_lockstep<'a, W: World>(
    setting: &'a Setting,
    judge: Box<dyn Judge + 'a>,
) -> (Course, Option<String>) {
    let (world, course): (W, _) = out_of_order(setting, judge);
    let difference = world.difference(&lockstep(setting, &course.changes));
    (course, difference)
}

/// What came of one seed.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Which.
    pub seed: u64,
    /// Its kind of world.
    pub kind: Kind,
    /// Its run.
    pub course: Course,
    /// Where it differs from lock-step, or how the run broke down.
    pub difference: Option<String>,
}

/// Runs the world of a seed as the scheduler allows, in the kind of world that suits its rule.
pub fn outcome(seed: u64) -> Outcome {
    let setting = Setting::new(seed);
    let run = || match setting.kind.rule {
        Rule::Conservative => against_lockstep::<Versioned>(&setting, scheduler(&setting)),
        Rule::Compatibility => against_lockstep::<InPlace>(&setting, scheduler(&setting)),
    };
    let broken = |reason: Box<dyn Any + Send>| {
        let text = reason.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| reason.downcast_ref::<&str>().copied());
        (Course::default(), Some(format!("the run broke down: {}", text.unwrap_or("a panic"))))
    };
    let (course, difference) = catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(broken);
    Outcome { seed, kind: setting.kind, course, difference }
}

/// Counts of runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many.
    pub runs: u64,
    /// Those in which somebody started a step while somebody was behind.
    pub overtaken: u64,
    /// Those that did not end as in lock-step.
    pub differences: u64,
    /// The most steps by which anybody was ahead when it started one.
    pub lead_max: Step,
    /// Steps executed, of all agents of all runs together.
    pub agent_steps: u64,
}

impl Tally {
    fn count(&mut self, outcome: &Outcome) {
        let Course { lead_max, agent_steps, .. } = outcome.course;
        self.merge(&Self {
            runs: 1,
            overtaken: u64::from(lead_max > 0),
            differences: u64::from(outcome.difference.is_some()),
            lead_max,
            agent_steps,
        });
    }

    /// Counts the other's runs too.
    pub fn merge(&mut self, other: &Self) {
        self.runs += other.runs;
        self.overtaken += other.overtaken;
        self.differences += other.differences;
        self.lead_max = self.lead_max.max(other.lead_max);
        self.agent_steps += other.agent_steps;
    }
}

/// What came of many seeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts {
    /// By kind of world, all kinds in order.
    pub kinds: Vec<(Kind, Tally)>,
    /// Of the runs in which somebody joined.
    pub joins: Tally,
    /// Of the runs in which somebody left.
    pub leaves: Tally,
    /// Of the runs in which somebody was brought about.
    pub children: Tally,
    /// The seeds of the runs that differ, and where these do, by seed.
    pub failures: Vec<(u64, String)>,
}

impl Counts {
    fn new() -> Self {
        let kinds = Kind::all().into_iter().map(|kind| (kind, Tally::default())).collect();
        let none = Tally::default();
        Self { kinds, joins: none, leaves: none, children: none, failures: Vec::new() }
    }

    fn count(&mut self, outcome: &Outcome) {
        let at = self.kinds.iter().position(|(kind, _)| *kind == outcome.kind);
        self.kinds[at.expect("all kinds are there")].1.count(outcome);
        let Course { changes, children, .. } = &outcome.course;
        if changes.iter().any(|change| matches!(change, Change::Join(..))) {
            self.joins.count(outcome);
        }
        if changes.iter().any(|change| matches!(change, Change::Leave(..))) {
            self.leaves.count(outcome);
        }
        if *children > 0 {
            self.children.count(outcome);
        }
        if let Some(difference) = &outcome.difference {
            self.failures.push((outcome.seed, difference.clone()));
        }
    }

    fn merge(&mut self, other: Self) {
        for ((_, tally), (_, more)) in self.kinds.iter_mut().zip(&other.kinds) {
            tally.merge(more);
        }
        self.joins.merge(&other.joins);
        self.leaves.merge(&other.leaves);
        self.children.merge(&other.children);
        self.failures.extend(other.failures);
    }

    /// Of the runs of the kinds that are wanted.
    pub fn of(&self, wanted: impl Fn(&Kind) -> bool) -> Tally {
        let mut sum = Tally::default();
        self.kinds.iter().filter(|(kind, _)| wanted(kind)).for_each(|(_, t)| sum.merge(t));
        sum
    }

    /// Of all runs.
    pub fn all(&self) -> Tally {
        self.of(|_| true)
    }
}

/// Seeds are handed out in lots of this many.
const LOT: u64 = 64;

/// Runs all these seeds on this many threads. `progress` is told how many are done, now and then.
pub fn sweep(
    seeds: &Range<u64>,
    threads: usize,
    run: impl Fn(u64) -> Outcome + Sync,
    progress: impl Fn(u64) + Sync,
) -> Counts {
    let (next, done) = (AtomicU64::new(seeds.start), AtomicU64::new(0));
    let work = || {
        let mut counts = Counts::new();
        loop {
            let from = next.fetch_add(LOT, Ordering::Relaxed).min(seeds.end);
            let lot = from..seeds.end.min(from + LOT);
            if lot.is_empty() {
                return counts;
            }
            let size = lot.end - lot.start;
            lot.for_each(|seed| counts.count(&run(seed)));
            progress(done.fetch_add(size, Ordering::Relaxed) + size);
        }
    };
    let mut counts = Counts::new();
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            counts.merge(worker.join().expect("a worker panics for no seed"));
        }
    });
    counts.failures.sort();
    counts
}
