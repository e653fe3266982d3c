//! One batch and its queue.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::model::Model;
use crate::server::RequestId;
use crate::statistics::{Load, ReplicaStatistics};
use crate::stretch::Stretch;
use crate::time;

/// Waiting requests sort by priority, then by arrival: ids are given in the order of arrival.
type Place = (i64, RequestId);

#[derive(Clone, Copy, Debug)]
pub(crate) struct Tokens {
    pub(crate) prompt: u32,
    pub(crate) output: u32,
}

#[derive(Clone, Debug)]
struct Sequence {
    id: RequestId,
    tokens: Tokens,
    /// Prompt tokens not yet processed; 0 while it decodes.
    prompt_left: u32,
    /// Prompt tokens processed by the iteration under way; 0 outside iterations.
    chunk: u32,
    /// The count of iterations at whose end it has all its output tokens. Known once the prompt is
    /// done, as a decoding sequence gets a token from every iteration.
    last_iteration: u64,
    cancelled: bool,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Replica {
    waiting: BTreeMap<Place, Tokens>,
    /// In the order of admission.
    running: Vec<Sequence>,
    /// How many of `running` are cancelled and leave at the end of the iteration.
    leaving: usize,
    /// What is under way: it has started before now and ends after now. None between iterations,
    /// so always when nobody runs.
    stretch: Option<Stretch>,
    iterations: u64,
    busy_ns: u64,
    prompt_tokens: u64,
    output_tokens: u64,
    cancelled_prompt_tokens: u64,
    cancelled_output_tokens: u64,
}

impl Replica {
    pub(crate) fn load(&self) -> Load {
        Load { waiting: self.waiting.len(), running: self.running.len() - self.leaving }
    }

    /// Queues a request that arrives at `now`.
    pub(crate) fn submit(&mut self, place: Place, tokens: Tokens, model: &Model, now: u64) {
        self.waiting.insert(place, tokens);
        // Where the batch is full it could not be admitted, so the stretch need not be cut.
        if self.running.len() < model.max_sequences() as usize {
            self.interrupt(now);
        }
    }

    /// Drops a request that is in flight here; a running one leaves when its iteration ends.
    pub(crate) fn cancel(&mut self, place: Place, now: u64) {
        if self.waiting.remove(&place).is_some() {
            return;
        }
        self.interrupt(now);
        let sequence = self.running.iter_mut().find(|sequence| sequence.id == place.1);
        sequence.expect("Invariant: a request in flight waits or runs").cancelled = true;
        self.leaving += 1;
        if self.stretch.is_none() {
            self.remove_leavers(&mut Vec::new());
        }
    }

    /// Has the batch formed anew at the next boundary, which may be now.
    fn interrupt(&mut self, now: u64) {
        if let Some(stretch) = &mut self.stretch {
            stretch.cut(now);
            let mut nobody = Vec::new();
            self.settle(now, &mut nobody);
            debug_assert!(nobody.is_empty(), "Invariant: who finishes now has been reported");
        }
    }

    /// When the stretch ends that is under way or starts at `now`; None if there is nothing to do.
    pub(crate) fn next_end(&mut self, model: &Model, now: u64) -> Option<u64> {
        if self.stretch.is_none() {
            self.form(model, now);
        }
        self.stretch.map(|stretch| stretch.end())
    }

    /// Forms the iteration that starts at `now`, and as many copies of it as are sure to follow.
    fn form(&mut self, model: &Model, now: u64) {
        let decoding = self.running.iter().filter(|sequence| sequence.prompt_left == 0).count();
        let decoding = decoding as u32;
        // The model's budget holds a token for each of max_sequences.
        let mut budget_left = model.token_budget() - decoding;
        let mut producing = decoding;
        let mut prefill = |sequence: &mut Sequence| {
            sequence.chunk = sequence.prompt_left.min(budget_left);
            budget_left -= sequence.chunk;
            producing += u32::from(sequence.chunk == sequence.prompt_left);
            budget_left > 0
        };
        let mut admitting = true;
        for sequence in self.running.iter_mut().filter(|sequence| sequence.prompt_left > 0) {
            admitting = prefill(sequence);
        }
        while admitting && self.running.len() < model.max_sequences() as usize {
            let Some(((_, id), tokens)) = self.waiting.pop_first() else { break };
            let mut sequence = Sequence {
                id,
                tokens,
                prompt_left: tokens.prompt,
                chunk: 0,
                last_iteration: u64::MAX,
                cancelled: false,
            };
            admitting = prefill(&mut sequence);
            self.running.push(sequence);
        }
        let prefill_tokens = model.token_budget() - decoding - budget_left;
        let first_to_finish = self.running.iter().map(|sequence| sequence.last_iteration).min();
        // The first to prefill takes what is left of the budget until its last chunk.
        let first_prompt = self.running.iter().find(|sequence| sequence.prompt_left > 0);
        let copies = first_prompt
            .and_then(|sequence| (sequence.prompt_left - 1).checked_div(sequence.chunk))
            .map_or(u64::MAX, |full_chunks| u64::from(full_chunks).max(1));
        self.stretch = first_to_finish.map(|last| Stretch {
            start: now,
            duration: model.iteration_ns(prefill_tokens, decoding),
            iterations: copies.min(last - self.iterations),
            prefill_tokens,
            producing,
        });
    }

    /// If the stretch ends at `now`: counts its tokens, lets go who is done, and appends those who
    /// finished in the order of admission.
    pub(crate) fn settle(&mut self, now: u64, finished: &mut Vec<RequestId>) {
        let Some(stretch) = self.stretch.take_if(|stretch| stretch.end() == now) else { return };
        self.iterations += stretch.iterations;
        self.busy_ns += now - stretch.start;
        self.prompt_tokens += u64::from(stretch.prefill_tokens) * stretch.iterations;
        self.output_tokens += u64::from(stretch.producing) * stretch.iterations;
        if stretch.prefill_tokens > 0 {
            for sequence in self.running.iter_mut().filter(|sequence| sequence.chunk > 0) {
                sequence.prompt_left -= sequence.chunk * stretch.iterations as u32;
                sequence.chunk = 0;
                if sequence.prompt_left == 0 {
                    let decodes = u64::from(sequence.tokens.output) - 1;
                    sequence.last_iteration = self.iterations + decodes;
                }
            }
        }
        self.remove_leavers(finished);
    }

    fn remove_leavers(&mut self, finished: &mut Vec<RequestId>) {
        let Self { running, iterations, .. } = self;
        running.retain(|sequence| {
            if sequence.cancelled {
                let prompt = sequence.tokens.prompt - sequence.prompt_left;
                self.cancelled_prompt_tokens += u64::from(prompt);
                if sequence.prompt_left == 0 {
                    let output_left = sequence.last_iteration - *iterations;
                    self.cancelled_output_tokens += u64::from(sequence.tokens.output) - output_left;
                }
                return false;
            }
            if sequence.last_iteration == *iterations {
                finished.push(sequence.id);
                return false;
            }
            true
        });
        self.leaving = 0;
    }

    pub(crate) fn statistics(&self, now: u64) -> ReplicaStatistics {
        let mut iterations = self.iterations;
        let mut busy_ns = self.busy_ns;
        let mut prompt_tokens = self.prompt_tokens;
        let mut output_tokens = self.output_tokens;
        if let Some(stretch) = &self.stretch {
            let ended = stretch.ended_by(now);
            iterations += ended;
            busy_ns += now - stretch.start;
            prompt_tokens += u64::from(stretch.prefill_tokens) * ended;
            output_tokens += u64::from(stretch.producing) * ended;
        }
        ReplicaStatistics {
            busy_seconds: time::seconds(busy_ns),
            iterations,
            prompt_tokens,
            output_tokens,
            cancelled_prompt_tokens: self.cancelled_prompt_tokens,
            cancelled_output_tokens: self.cancelled_output_tokens,
        }
    }

    /// Panics unless everything kept twice agrees.
    pub(crate) fn validate(&self, model: &Model, now: u64) {
        let running = self.running.len();
        assert!(running <= model.max_sequences() as usize, "Invariant: {running} sequences run");
        let leaving = self.running.iter().filter(|sequence| sequence.cancelled).count();
        assert_eq!(self.leaving, leaving, "Invariant: the count of leavers");
        let prefilling = self.running.iter().filter(|sequence| sequence.prompt_left > 0);
        let chunks: u32 = prefilling.map(|sequence| sequence.chunk).sum();
        let Some(stretch) = &self.stretch else {
            assert_eq!((leaving, chunks), (0, 0), "Invariant: between iterations nothing is due");
            return;
        };
        assert_eq!(chunks, stretch.prefill_tokens, "Invariant: the chunks of this iteration");
        assert!(stretch.start < now && now < stretch.end(), "Invariant: the clock is inside");
        let last = self.iterations + stretch.iterations;
        let mut decoding = 0;
        for sequence in self.running.iter().filter(|sequence| sequence.prompt_left == 0) {
            decoding += 1;
            assert!(sequence.last_iteration >= last, "Invariant: nobody finishes in a stretch");
        }
        let tokens = chunks + decoding;
        assert!(tokens <= model.token_budget(), "Invariant: {tokens} tokens in an iteration");
    }
}
