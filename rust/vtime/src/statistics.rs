//! What is counted: plain records, copied out.

use alloc::vec::Vec;

/// The requests in flight on one replica.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Not yet admitted.
    pub waiting: usize,
    /// Admitted, not finished, not cancelled.
    pub running: usize,
}

impl Load {
    /// Waiting and running together, by which new requests are dispatched.
    pub fn total(&self) -> usize {
        self.waiting + self.running
    }
}

/// What one replica has done so far. Tokens count when the iteration that made them ends.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ReplicaStatistics {
    /// Modelled seconds in which an iteration was under way.
    pub busy_seconds: f64,
    /// Iterations ended.
    pub iterations: u64,
    /// Prompt tokens processed, those of cancelled requests included.
    pub prompt_tokens: u64,
    /// Output tokens produced, those of cancelled requests included.
    pub output_tokens: u64,
    /// The part of `prompt_tokens` that was spent on requests cancelled since.
    pub cancelled_prompt_tokens: u64,
    /// The part of `output_tokens` that was spent on requests cancelled since.
    pub cancelled_output_tokens: u64,
}

/// What a server has done so far.
///
/// At every moment `submitted = finished + cancelled + in flight`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Statistics {
    /// Modelled seconds since the server was made.
    pub now: f64,
    /// Requests submitted.
    pub submitted: u64,
    /// Requests finished.
    pub finished: u64,
    /// Requests cancelled.
    pub cancelled: u64,
    /// The sum over all requests of the modelled seconds from submission to completion,
    /// cancellation or now. Divided by `now` it is the mean number of requests in flight.
    pub in_flight_seconds: f64,
    /// One record per replica.
    pub replicas: Vec<ReplicaStatistics>,
}
