//! Runs a crowd out of order in modelled time and measures what the scheduler takes of real time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::marker::PhantomData;
#[allow(
    clippy::disallowed_types,
    reason = "time is what is measured; no decision depends on it"
)]
use std::time::Instant;

use hdrhistogram::Histogram;
use headway_core::{AgentId, Grid, Metric, Rule, Scheduler, Space};
use peak_alloc::PeakAlloc;
use serde::Serialize;

use crate::crowd::{Crowd, Workload, mix};
use crate::others::{Found, Kiddo, RStar};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// What finds agents by place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finder {
    /// The core's own index.
    Own,
    RStar,
    Kiddo,
}

impl Finder {
    pub(crate) const ALL: [Self; 3] = [Self::Own, Self::RStar, Self::Kiddo];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::RStar => "rstar",
            Self::Kiddo => "kiddo",
        }
    }
}

/// What is run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    pub(crate) workload: Workload,
    pub(crate) rule: Rule,
    pub(crate) index: Finder,
    pub(crate) agents: u32,
    /// Agent-steps that are reported together, at least.
    pub(crate) batch: usize,
    /// Agent-steps before measuring, and while.
    pub(crate) warm_up: u64,
    pub(crate) measured: u64,
    pub(crate) seed: u64,
}

/// What came of it.
#[derive(Debug, Serialize)]
pub(crate) struct Measured {
    pub(crate) workload: &'static str,
    pub(crate) rule: &'static str,
    pub(crate) index: &'static str,
    pub(crate) agents: u32,
    pub(crate) batch: usize,
    pub(crate) agent_steps: u64,
    /// Nanoseconds of an agent-step: from its finish to the start of those it made ready.
    pub(crate) median_ns: u64,
    pub(crate) p99_ns: u64,
    pub(crate) mean_ns: f64,
    /// What looking at the clock takes of each batch, included above.
    pub(crate) timer_ns: u64,
    /// How often somebody was looked at again, without it being free, per agent-step.
    pub(crate) rechecks: f64,
    /// Moves within the index and searches of it per second of the scheduler's time.
    pub(crate) index_operations_per_second: f64,
    pub(crate) bytes_per_agent: f64,
    /// Mean size of a batch: under the compatibility rule clusters finish whole.
    pub(crate) together: f64,
    /// Of who started which step when: equal for every index.
    pub(crate) digest: String,
}

/// Those who finish at the same time.
type Group = (Reverse<u64>, Reverse<u64>, Vec<AgentId>);

struct Run<S: Space> {
    crowd: Crowd,
    scheduler: Scheduler<S>,
    queue: BinaryHeap<Group>,
    now: u64,
    groups: u64,
    digest: u64,
}

impl<S: Space<Position = [i32; 2]>> Run<S> {
    fn new(setting: &Setting, space: S) -> Self {
        let crowd = Crowd::draw(setting.workload, setting.agents, setting.seed);
        let scheduler = Scheduler::resume(space, setting.rule, &crowd.agents, &crowd.clocks, 0)
            .expect("a crowd");
        let queue = BinaryHeap::new();
        let mut run = Self { crowd, scheduler, queue, now: 0, groups: 0, digest: 0 };
        let ready = run.scheduler.ready();
        run.scheduler.start(&ready).expect("ready");
        run.began(&ready);
        run
    }

    /// Lets the steps of those that have been started end when their time has come.
    fn began(&mut self, started: &[AgentId]) {
        let scheduler = &self.scheduler;
        let label = |id: &AgentId| scheduler.cluster(*id).expect("known");
        for group in started.chunk_by(|a, b| label(a) == label(b)) {
            let longest = group
                .iter()
                .map(|&id| self.crowd.duration(id, scheduler.clock(id).expect("known")));
            let end = self.now + longest.max().expect("a group has members");
            self.queue.push((Reverse(end), Reverse(self.groups), group.to_vec()));
            self.groups += 1;
            for id in group {
                let what = u64::from(id.0) << 32 | u64::from(scheduler.clock(*id).expect("known"));
                self.digest = self.digest.wrapping_add(mix(what ^ mix(end)));
            }
        }
    }

    /// Goes on for so many agent-steps; tells `took` how many ended and the nanoseconds.
    fn go(&mut self, agent_steps: u64, batch: usize, mut took: impl FnMut(usize, u64)) {
        let (mut ids, mut positions, mut ready) = (Vec::new(), Vec::new(), Vec::new());
        let mut done = 0;
        // All that end at one time are taken, so that no order among them shows.
        let more =
            |queue: &BinaryHeap<Group>, now| queue.peek().is_some_and(|group| group.0.0 == now);
        while done < agent_steps || more(&self.queue, self.now) {
            ids.clear();
            while ids.len() < batch {
                let Some((Reverse(end), _, group)) = self.queue.pop() else { break };
                self.now = end;
                ids.extend(group);
            }
            positions.clear();
            positions.extend(ids.iter().map(|&id| {
                let from = self.scheduler.position(id).expect("known");
                self.crowd.walk(id, self.scheduler.clock(id).expect("known"), from)
            }));
            #[allow(clippy::disallowed_types, reason = "as above")]
            let begin = Instant::now();
            decide(&mut self.scheduler, &ids, &positions, &mut ready);
            took(ids.len(), begin.elapsed().as_nanos() as u64);
            done += ids.len() as u64;
            self.began(&ready);
        }
    }
}

/// What is measured; instruction counts are of what happens in here.
#[inline(never)]
fn decide<S: Space<Position = [i32; 2]>>(
    scheduler: &mut Scheduler<S>,
    ids: &[AgentId],
    positions: &[[i32; 2]],
    ready: &mut Vec<AgentId>,
) {
    scheduler.finish(ids, positions, ready).expect("they run, and walk one tile");
    scheduler.start(ready).expect("ready");
}

/// Runs it once.
pub(crate) fn measure(setting: &Setting) -> Measured {
    let grid = Grid::new(Metric::Chebyshev, None).expect("a plain grid");
    match setting.index {
        Finder::Own => measure_in(setting, grid),
        Finder::RStar => measure_in(setting, Found::<RStar>(grid, PhantomData)),
        Finder::Kiddo => measure_in(setting, Found::<Kiddo>(grid, PhantomData)),
    }
}

fn measure_in<S: Space<Position = [i32; 2]>>(setting: &Setting, space: S) -> Measured {
    let mut run = Run::new(setting, space);
    run.go(setting.warm_up, setting.batch, |_, _| ());
    let examined_before = run.scheduler.examinations();
    let mut times = Histogram::<u32>::new_with_bounds(1, 10_000_000_000, 3).expect("bounds");
    let (mut agent_steps, mut batches, mut total_ns) = (0, 0_u64, 0);
    run.go(setting.measured, setting.batch, |count, ns| {
        let each = ns / count as u64;
        times.record_n(each.max(1), count as u32).expect("within ten seconds");
        (agent_steps, batches, total_ns) = (agent_steps + count as u64, batches + 1, total_ns + ns);
    });
    let examined = run.scheduler.examinations() - examined_before;
    let Run { scheduler, digest, .. } = run;
    let held = MEMORY.current_usage();
    drop(scheduler);
    let freed = held - MEMORY.current_usage();
    Measured {
        workload: setting.workload.name(),
        rule: match setting.rule {
            Rule::Conservative => "conservative",
            Rule::Compatibility => "compatibility",
        },
        index: setting.index.name(),
        agents: setting.agents,
        batch: setting.batch,
        agent_steps,
        median_ns: times.value_at_quantile(0.5),
        p99_ns: times.value_at_quantile(0.99),
        mean_ns: total_ns as f64 / agent_steps as f64,
        timer_ns: timer(),
        rechecks: (examined as f64 / agent_steps as f64) - 1.0,
        index_operations_per_second: (agent_steps + examined) as f64 / (total_ns as f64 * 1e-9),
        bytes_per_agent: freed as f64 / f64::from(setting.agents),
        together: agent_steps as f64 / batches as f64,
        digest: format!("{digest:016x}"),
    }
}

/// What looking at the clock twice takes.
fn timer() -> u64 {
    let mut times: Vec<u64> = (0..1001)
        .map(|_| {
            #[allow(clippy::disallowed_types, reason = "as above")]
            let begin = Instant::now();
            begin.elapsed().as_nanos() as u64
        })
        .collect();
    times.sort_unstable();
    times[500]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_index_starts_the_same_steps_at_the_same_times() {
        for workload in Workload::ALL {
            for rule in [Rule::Conservative, Rule::Compatibility] {
                let digests = Finder::ALL.map(|index| {
                    let (agents, batch, seed) = (60, 1, 1);
                    let (warm_up, measured) = (120, 600);
                    let setting =
                        Setting { workload, rule, index, agents, batch, warm_up, measured, seed };
                    let row = measure(&setting);
                    assert!(row.agent_steps >= measured && row.rechecks >= 0.0, "{row:?}");
                    row.digest
                });
                assert!(
                    digests.iter().all(|d| *d == digests[0]),
                    "{workload:?} {rule:?} {digests:?}"
                );
            }
        }
    }
}
