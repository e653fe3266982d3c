//! Random loads that react to what finishes, written down as a list of what was seen.

use headway_vtime::{Model, RequestId, Server};

use super::chance::Chance;
use super::twin::{Parameters, Twin};

const NS_PER_SECOND: f64 = 1e9;

/// The engine or its twin.
pub(crate) trait Machine {
    fn submit(&mut self, priority: i64, prompt: u32, output: u32) -> u64;
    fn cancel(&mut self, id: u64) -> bool;
    /// What finished, having moved to the next completion, at most to so many ns from the start.
    fn advance(&mut self, limit_ns: Option<u64>) -> Vec<u64>;
    /// Everything else that can be seen.
    fn look(&self) -> Seen;
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seen {
    pub(crate) now_ns: u64,
    pub(crate) totals: [u64; 4],
    pub(crate) loads: Vec<(usize, usize)>,
    pub(crate) counts: Vec<[u64; 6]>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Line {
    Submitted(u64),
    Cancelled(u64, bool),
    Finished(Vec<u64>),
    Saw(Seen),
}

impl Machine for Twin {
    fn submit(&mut self, priority: i64, prompt: u32, output: u32) -> u64 {
        self.submit(priority, prompt, output)
    }

    fn cancel(&mut self, id: u64) -> bool {
        self.cancel(id)
    }

    fn advance(&mut self, limit_ns: Option<u64>) -> Vec<u64> {
        self.advance(limit_ns)
    }

    fn look(&self) -> Seen {
        assert_eq!(self.totals()[..3].iter().sum::<u64>(), {
            let [submitted, ..] = self.totals();
            2 * submitted - self.in_flight() as u64
        });
        let (totals, loads, counts) = (self.totals(), self.loads(), self.counts());
        Seen { now_ns: self.now, totals, loads, counts }
    }
}

impl Machine for Server {
    fn submit(&mut self, priority: i64, prompt: u32, output: u32) -> u64 {
        self.submit(priority, prompt, output).expect("a good request").0
    }

    fn cancel(&mut self, id: u64) -> bool {
        self.cancel(RequestId(id)).expect("a known request")
    }

    fn advance(&mut self, limit_ns: Option<u64>) -> Vec<u64> {
        let mut finished = Vec::new();
        let idle = self.in_flight() == 0;
        if let Some(limit_ns) = limit_ns {
            let limit = limit_ns as f64 / NS_PER_SECOND;
            let reached = self.advance_until(limit, &mut finished).expect("a good limit");
            assert!(reached <= limit && (reached - self.now()).abs() <= 0.0);
        } else {
            let reached = self.advance(&mut finished);
            assert_eq!(reached, (!idle).then(|| self.now()));
        }
        self.validate();
        finished.into_iter().map(|id| id.0).collect()
    }

    fn look(&self) -> Seen {
        let ns = |seconds: f64| (seconds * NS_PER_SECOND).round() as u64;
        let statistics = self.statistics();
        let in_flight_ns = ns(statistics.in_flight_seconds);
        let totals =
            [statistics.submitted, statistics.finished, statistics.cancelled, in_flight_ns];
        let counts = statistics.replicas.iter().map(|replica| {
            [
                ns(replica.busy_seconds),
                replica.iterations,
                replica.prompt_tokens,
                replica.output_tokens,
                replica.cancelled_prompt_tokens,
                replica.cancelled_output_tokens,
            ]
        });
        let loads = self.loads().map(|load| (load.waiting, load.running)).collect();
        Seen { now_ns: ns(self.now()), totals, loads, counts: counts.collect() }
    }
}

/// Small batches, tight budgets, and times with common divisors: much happens, often together.
pub(crate) fn parameters(chance: &mut Chance) -> Parameters {
    let millisecond = 1_000_000;
    let max_sequences = chance.pick(&[1, 2, 3, 6, 20]);
    Parameters {
        t0_ns: chance.pick(&[1, 4, 10]) * millisecond,
        p_ns: chance.pick(&[0, 100_000, millisecond, 1_234_567]),
        d_ns: chance.pick(&[0, 250_000, millisecond, 777_777]),
        max_sequences,
        token_budget: max_sequences + chance.pick(&[0, 1, 7, 40]),
        replicas: chance.pick(&[1, 1, 2, 3, 5]),
    }
}

pub(crate) fn engine(parameters: &Parameters) -> Server {
    let seconds = |ns: u64| ns as f64 / NS_PER_SECOND;
    let Parameters { t0_ns, p_ns, d_ns, max_sequences, token_budget, replicas } = *parameters;
    let model =
        Model::new(seconds(t0_ns), seconds(p_ns), seconds(d_ns), max_sequences, token_budget);
    Server::new(model.expect("a good model"), replicas).expect("a good number")
}

/// Puts a load on a machine. What it does depends on the seed and on what the machine answers, so
/// two machines get the same load for as long as they answer alike.
pub(crate) fn drive(machine: &mut impl Machine, seed: u64) -> Vec<Line> {
    let mut chance = Chance::new(seed);
    let parameters = parameters(&mut chance);
    // Whole kinds of events are left out of some loads, so that each kind also meets calm ones.
    let reacting = chance.pick(&[0, 50, 100]);
    let cancelling = chance.pick(&[0, 0, 5, 30]);
    let pausing = chance.pick(&[0, 30, 80]);
    let priorities = chance.pick(&[1, 1, 3, 10]);
    let prompt_max = chance.pick(&[1, 10, 100]);
    let output_max = chance.pick(&[1, 5, 60]);
    let requests_max = u64::from(chance.within(1, 80));

    let mut log = Vec::new();
    let mut submitted = 0;
    let mut submit = |machine: &mut _, chance: &mut Chance, log: &mut Vec<_>| {
        if submitted == requests_max {
            return false;
        }
        let priority = i64::from(chance.within(0, priorities - 1)) - 1;
        let (prompt, output) = (chance.within(1, prompt_max), chance.within(1, output_max));
        submitted = Machine::submit(machine, priority, prompt, output) + 1;
        log.push(Line::Submitted(submitted - 1));
        true
    };
    for _ in 0..chance.within(1, 10) {
        submit(machine, &mut chance, &mut log);
    }
    loop {
        if chance.percent(cancelling) {
            let newest = log.iter().rev().find_map(|line| match line {
                Line::Submitted(id) => Some(*id),
                _ => None,
            });
            let newest = newest.expect("one was submitted") as u32;
            let id = u64::from(chance.within(newest.saturating_sub(15), newest));
            log.push(Line::Cancelled(id, machine.cancel(id)));
        }
        let now_ns = machine.look().now_ns;
        let limit = chance.percent(pausing).then(|| {
            // Half the pauses are likely to end on the boundary of an iteration.
            let grid = chance.pick(&[parameters.t0_ns + parameters.d_ns, parameters.t0_ns, 1, 333]);
            now_ns + u64::from(chance.within(0, 7)) * grid
        });
        let finished = machine.advance(limit);
        let idle = finished.is_empty();
        for _ in 0..finished.len() {
            if chance.percent(reacting) {
                submit(machine, &mut chance, &mut log);
            }
        }
        log.push(Line::Finished(finished));
        log.push(Line::Saw(machine.look()));
        let came =
            if idle || chance.percent(20) { submit(machine, &mut chance, &mut log) } else { true };
        if !came && machine.look().loads.iter().all(|&load| load == (0, 0)) {
            return log;
        }
    }
}
