//! A target on one input after the other, without a fuzzer: its seeds, and then what numbers stand
//! for. An input that breaks it, or takes too long, is left in a file.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use super::{Target, inputs};

/// An input that takes longer than one to two of these is taken for one that never ends.
const PATIENCE: Duration = Duration::from_secs(30);

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// Inputs that were run, also the one that broke the target.
    pub executions: u64,
    /// Whether the last one did.
    pub broke: bool,
}

/// A target and its inputs in order.
pub struct Campaign {
    target: Target,
    seeds: Vec<Vec<u8>>,
    first: u64,
}

impl Campaign {
    /// Inputs drawn at random are numbered from `first`.
    pub fn new(target: Target, first: u64) -> Self {
        Self { target, seeds: inputs::seeds(&target), first }
    }

    /// The input that is run as number `at`, from 0.
    pub fn input(&self, at: u64) -> Vec<u8> {
        match self.seeds.get(at as usize) {
            Some(seed) => seed.clone(),
            None => inputs::numbered(self.first.wrapping_add(at), &self.seeds),
        }
    }

    /// Runs the seeds, and then others while `more` says so.
    ///
    /// # Panics
    /// Where the input cannot be left in the file.
    pub fn run(&self, file: &Path, mut more: impl FnMut() -> bool) -> Done {
        let at = AtomicU64::new(0);
        // Dropped when the inputs have ended, however they do.
        let (going_on, end) = channel::<()>();
        thread::scope(|scope| {
            let (watched, _going_on) = (&at, going_on);
            scope.spawn(move || self.watch(watched, &end, file));
            let mut broke = false;
            while !broke && (at.load(Ordering::Relaxed) < self.seeds.len() as u64 || more()) {
                let input = self.input(at.load(Ordering::Relaxed));
                broke = catch_unwind(AssertUnwindSafe(|| (self.target.run)(&input))).is_err();
                if broke {
                    leave(&input, file);
                }
                at.fetch_add(1, Ordering::Relaxed);
            }
            Done { executions: at.load(Ordering::Relaxed), broke }
        })
    }

    /// Ends the process where an input takes too long: nothing else could stop it.
    fn watch(&self, at: &AtomicU64, end: &Receiver<()>, file: &Path) {
        let mut before = u64::MAX;
        while end.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
            let now = at.load(Ordering::Relaxed);
            if now == before {
                leave(&self.input(now), file);
                eprintln!("an input of {} does not end", self.target.name);
                process::exit(1);
            }
            before = now;
        }
    }
}

fn leave(input: &[u8], file: &Path) {
    fs::write(file, input).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
}
