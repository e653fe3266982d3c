//! The five parameters of a replica and the cost of an iteration.

use crate::error::Error;
use crate::time;

/// Bounds of `t0` in seconds. The lower one keeps an iteration longer than the clock's nanosecond.
const T0_LIMITS: (f64, f64) = (1e-6, 1000.0);
/// Bounds of `p` and `d` in seconds.
const PER_TOKEN_LIMITS: (f64, f64) = (0.0, 1000.0);
/// Bounds of every count.
const COUNT_LIMITS: (f64, f64) = (1.0, u32::MAX as f64);

/// How fast a replica is and how much it does at once.
///
/// An iteration lasts `max(t0, p * prefill_tokens) + d * decoding_sequences` seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Model {
    t0: f64,
    p: f64,
    d: f64,
    max_sequences: u32,
    token_budget: u32,
}

impl Model {
    /// A model with these parameters.
    ///
    /// # Errors
    ///
    /// Unless `t0` is from 1e-6 to 1000 seconds, `p` and `d` from 0 to 1000 seconds, both counts at
    /// least 1, and `token_budget` at least `max_sequences` (as vLLM asks too).
    pub fn new(
        t0: f64,
        p: f64,
        d: f64,
        max_sequences: u32,
        token_budget: u32,
    ) -> Result<Self, Error> {
        Error::unless_within("t0", t0, T0_LIMITS)?;
        Error::unless_within("p", p, PER_TOKEN_LIMITS)?;
        Error::unless_within("d", d, PER_TOKEN_LIMITS)?;
        check_count("max_sequences", max_sequences)?;
        check_count("token_budget", token_budget)?;
        if token_budget < max_sequences {
            return Err(Error::BudgetBelowSequences { token_budget, max_sequences });
        }
        Ok(Self { t0, p, d, max_sequences, token_budget })
    }

    /// Seconds an iteration takes however little there is to do (reading the weights).
    pub fn t0(&self) -> f64 {
        self.t0
    }

    /// Seconds per prompt token, where that is more than `t0`.
    pub fn p(&self) -> f64 {
        self.p
    }

    /// Seconds per decoding sequence.
    pub fn d(&self) -> f64 {
        self.d
    }

    /// How many sequences run at once on a replica, at most.
    pub fn max_sequences(&self) -> u32 {
        self.max_sequences
    }

    /// How many tokens an iteration processes, prompt and output together, at most.
    pub fn token_budget(&self) -> u32 {
        self.token_budget
    }

    /// Modelled seconds of one iteration.
    pub fn iteration_seconds(&self, prefill_tokens: u32, decoding_sequences: u32) -> f64 {
        let prefill = self.p * f64::from(prefill_tokens);
        self.t0.max(prefill) + self.d * f64::from(decoding_sequences)
    }

    /// Modelled seconds of one request on an otherwise idle replica, exactly as a server gives it.
    ///
    /// # Errors
    ///
    /// If either count is 0.
    pub fn lone_latency(&self, prompt_tokens: u32, output_tokens: u32) -> Result<f64, Error> {
        check_request(prompt_tokens, output_tokens)?;
        let full_chunks = u64::from(prompt_tokens / self.token_budget);
        let rest = prompt_tokens % self.token_budget;
        let mut ns = full_chunks.saturating_mul(self.iteration_ns(self.token_budget, 0));
        if rest > 0 {
            ns = ns.saturating_add(self.iteration_ns(rest, 0));
        }
        // The first output token comes with the last chunk.
        let decodes = u64::from(output_tokens - 1);
        ns = ns.saturating_add(decodes.saturating_mul(self.iteration_ns(0, 1)));
        Ok(time::seconds(ns))
    }

    pub(crate) fn iteration_ns(&self, prefill_tokens: u32, decoding_sequences: u32) -> u64 {
        time::nanoseconds(self.iteration_seconds(prefill_tokens, decoding_sequences))
    }
}

/// Refuses a request without a prompt or without an answer.
pub(crate) fn check_request(prompt_tokens: u32, output_tokens: u32) -> Result<(), Error> {
    check_count("prompt_tokens", prompt_tokens)?;
    check_count("output_tokens", output_tokens)
}

fn check_count(name: &'static str, count: u32) -> Result<(), Error> {
    Error::unless_within(name, f64::from(count), COUNT_LIMITS)
}
