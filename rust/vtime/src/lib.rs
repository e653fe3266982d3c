//! A deterministic discrete-event model of a continuous-batching LLM server.
//!
//! Schedules of one and the same simulation are compared on this model in seconds, on any machine,
//! without a GPU. **Everything it reports is modelled time**, never a measurement.
//!
//! # Words
//!
//! | word | meaning |
//! |---|---|
//! | request | one LLM call: so many prompt tokens in, so many output tokens out |
//! | replica | one copy of the model; replicas share nothing but the door |
//! | sequence | a request that a replica has admitted |
//! | waiting, running | not yet admitted; admitted and not yet finished |
//! | in flight | waiting or running, and not cancelled |
//! | prefill | processing the prompt, in chunks |
//! | decode | producing one more output token |
//! | iteration | one forward pass over the sequences a replica has picked for it |
//! | stretch | successive iterations over the same sequences, handled as one event |
//!
//! # The model
//!
//! A new request goes to the replica with the fewest requests in flight (the lowest index where
//! several have as few) and waits there, ordered by priority (lower first), then by arrival.
//! A replica forms an iteration at time `t` within a budget of tokens:
//!
//! 1. every decoding sequence takes one token of the budget;
//! 2. unfinished prefills take `min(prompt left, budget left)`, in the order of admission;
//! 3. while fewer than `max_sequences` run and budget is left, the first waiting request is
//!    admitted and takes its first chunk.
//!
//! The iteration lasts `max(t0, p * prefill_tokens) + d * decoding_sequences` seconds. At its end
//! every decoding sequence has one more output token, and a prompt whose last chunk was processed
//! has its first one. A sequence with all its output tokens finishes then and leaves.
//!
//! **What happens at one instant.** An iteration that starts at `t` takes in everything submitted
//! at times up to and including `t`. It is therefore formed only when the clock is about to leave
//! `t`: requests submitted in reaction to completions at `t` join the iteration that starts at `t`.
//!
//! # What it leaves out
//!
//! Prefix caching (every prompt token is computed), the memory of the key-value cache and the
//! preemption that follows when it runs out, the growth of attention cost with context length,
//! speculative decoding, the network, tokenisation, and every other cost of a front end. Running
//! sequences are never preempted by more urgent ones, as in vLLM while memory lasts.
//!
//! # Example
//!
//! ```
//! use headway_vtime::{Model, RequestId, Server};
//!
//! let model = Model::new(0.060, 0.000_16, 0.000_4, 64, 2048)?;
//! let mut server = Server::new(model, 1)?;
//! let (priority, prompt_tokens, output_tokens) = (0, 640, 22);
//! let request = server.submit(priority, prompt_tokens, output_tokens)?;
//!
//! let mut finished = Vec::new();
//! let time = server.advance(&mut finished);
//! assert_eq!(finished, [request]);
//! assert_eq!(time, Some(model.lone_latency(prompt_tokens, output_tokens)?));
//! assert_eq!(server.advance(&mut finished), None);
//! # Ok::<(), headway_vtime::Error>(())
//! ```
//!
//! # Module map
//!
//! `model` the five parameters and the cost of an iteration; `stretch` skipping ahead; `replica`
//! one batch and its queue; `server` the replicas, the clock and the one door; `statistics` what is
//! counted; `time` why the clock counts whole nanoseconds; `error` what callers can get wrong.

#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod error;
mod model;
mod replica;
mod server;
mod statistics;
mod stretch;
mod time;

pub use error::Error;
pub use model::Model;
pub use server::{RequestId, Server};
pub use statistics::{Load, ReplicaStatistics, Statistics};
