//! The replicas, the clock and the one door.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;

use crate::error::Error;
use crate::model::{self, Model};
use crate::replica::{Replica, Tokens};
use crate::statistics::{Load, Statistics};
use crate::time;

/// The most replicas a server has; a bound so that a wild number is refused, not allocated.
const REPLICAS_MAX: u32 = 65_536;

/// Which request: 0, 1, 2, … in the order of submission, never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct RequestId(pub u64);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where to look for a request in flight.
#[derive(Clone, Copy, Debug)]
struct Flight {
    replica: u32,
    priority: i64,
}

/// A model of an LLM server with its own clock.
///
/// Methods are of three kinds. *In*: [`submit`](Self::submit) and [`cancel`](Self::cancel) happen
/// at the time [`now`](Self::now) and do not move the clock. *Time*: [`advance`](Self::advance)
/// and [`advance_until`](Self::advance_until) move it and report what finished. The rest only look.
///
/// The same calls give the same answers, always. A clone is a checkpoint. Finished and cancelled
/// requests are forgotten; memory is in proportion to the requests in flight.
#[derive(Clone, Debug)]
pub struct Server {
    model: Model,
    replicas: Vec<Replica>,
    /// In nanoseconds.
    now: u64,
    submitted: u64,
    cancelled: u64,
    in_flight: BTreeMap<RequestId, Flight>,
    /// The integral of `in_flight.len()` over time.
    in_flight_ns: u128,
}

impl Server {
    /// An idle server at time 0.
    ///
    /// # Errors
    ///
    /// If `replicas` is 0 or more than 65536.
    pub fn new(model: Model, replicas: u32) -> Result<Self, Error> {
        Error::unless_within("replicas", f64::from(replicas), (1.0, f64::from(REPLICAS_MAX)))?;
        Ok(Self {
            model,
            replicas: (0..replicas).map(|_| Replica::default()).collect(),
            now: 0,
            submitted: 0,
            cancelled: 0,
            in_flight: BTreeMap::new(),
            in_flight_ns: 0,
        })
    }

    /// What a replica of this server costs.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Modelled seconds since the server was made.
    pub fn now(&self) -> f64 {
        time::seconds(self.now)
    }

    /// Submits a request now, to the replica with the fewest in flight (ties: the lowest index).
    ///
    /// Of waiting requests the one with the lowest `priority` is admitted first; ties: the one
    /// submitted first.
    ///
    /// # Errors
    ///
    /// If either count of tokens is 0.
    pub fn submit(
        &mut self,
        priority: i64,
        prompt_tokens: u32,
        output_tokens: u32,
    ) -> Result<RequestId, Error> {
        model::check_request(prompt_tokens, output_tokens)?;
        let id = RequestId(self.submitted);
        self.submitted += 1;
        // `min_by_key` returns the first of equals.
        let least_loaded = self.replicas.iter_mut().enumerate();
        let (replica, least_loaded) = least_loaded
            .min_by_key(|(_, replica)| replica.load().total())
            .expect("Invariant: a server has at least one replica");
        self.in_flight.insert(id, Flight { replica: replica as u32, priority });
        let tokens = Tokens { prompt: prompt_tokens, output: output_tokens };
        least_loaded.submit((priority, id), tokens, &self.model, self.now);
        Ok(id)
    }

    /// Takes a request back; it will not be reported as finished. False if it is no longer in
    /// flight.
    ///
    /// A waiting request leaves at once. A running one keeps its place in the iteration under way,
    /// which costs what it costs, and leaves at its end.
    ///
    /// # Errors
    ///
    /// If no request with this id was ever submitted.
    pub fn cancel(&mut self, id: RequestId) -> Result<bool, Error> {
        if id.0 >= self.submitted {
            return Err(Error::UnknownRequest { id, submitted: self.submitted });
        }
        let Some(flight) = self.in_flight.remove(&id) else { return Ok(false) };
        self.cancelled += 1;
        self.replicas[flight.replica as usize].cancel((flight.priority, id), self.now);
        Ok(true)
    }

    /// Jumps to the next time at which a request finishes and returns that time.
    ///
    /// Appends all requests of all replicas that finish at that very time: by replica, and within a
    /// replica in the order of admission. None, and no time passes, if nothing is in flight.
    pub fn advance(&mut self, finished: &mut Vec<RequestId>) -> Option<f64> {
        // `run_until` would run to the end of time.
        if self.in_flight.is_empty() {
            return None;
        }
        let finished_before = finished.len();
        self.run_until(u64::MAX, finished);
        // At the end of time nothing can finish any more.
        (finished.len() > finished_before).then(|| self.now())
    }

    /// Like [`advance`](Self::advance), but no further than `limit`; returns the time reached.
    ///
    /// What finishes exactly at `limit` is included. When nothing was appended, `limit` (to the
    /// nearest nanosecond) has been reached.
    ///
    /// # Errors
    ///
    /// If `limit` is before now, after the end of time (584 years), or not a number.
    pub fn advance_until(
        &mut self,
        limit: f64,
        finished: &mut Vec<RequestId>,
    ) -> Result<f64, Error> {
        Error::unless_within("limit", limit, (0.0, time::seconds(u64::MAX)))?;
        if limit < self.now() {
            return Err(Error::TimeInThePast { limit, now: self.now() });
        }
        // Far from 0 the conversion may round to just before now.
        self.run_until(time::nanoseconds(limit).max(self.now), finished);
        Ok(self.now())
    }

    /// Moves the clock until something finishes, at most to `limit`.
    fn run_until(&mut self, limit: u64, finished: &mut Vec<RequestId>) {
        let finished_before = finished.len();
        // At the limit nothing is formed: callers may still submit at this very time.
        while self.now < limit && finished.len() == finished_before {
            let (model, now) = (&self.model, self.now);
            let ends = self.replicas.iter_mut().filter_map(|replica| replica.next_end(model, now));
            let next = ends.min().unwrap_or(limit).min(limit);
            self.in_flight_ns += self.in_flight.len() as u128 * u128::from(next - self.now);
            self.now = next;
            for replica in &mut self.replicas {
                replica.settle(next, finished);
            }
            for id in &finished[finished_before..] {
                self.in_flight.remove(id);
            }
        }
    }

    /// How many requests wait or run.
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// The requests in flight on each replica, in the order of their indices.
    pub fn loads(&self) -> impl ExactSizeIterator<Item = Load> + '_ {
        self.replicas.iter().map(Replica::load)
    }

    /// What has been done up to now.
    pub fn statistics(&self) -> Statistics {
        Statistics {
            now: self.now(),
            submitted: self.submitted,
            finished: self.submitted - self.cancelled - self.in_flight.len() as u64,
            cancelled: self.cancelled,
            in_flight_seconds: time::seconds_of_sum(self.in_flight_ns),
            replicas: self.replicas.iter().map(|replica| replica.statistics(self.now)).collect(),
        }
    }

    /// Panics unless everything kept twice agrees; for tests, as it looks at everything.
    pub fn validate(&self) {
        for replica in &self.replicas {
            replica.validate(&self.model, self.now);
        }
        let held: usize = self.loads().map(|load| load.total()).sum();
        assert_eq!(self.in_flight.len(), held, "Invariant: requests in flight wait or run");
    }
}
