//! State that several threads may use; each call has it to itself.

use std::sync::{Mutex, TryLockError};

use pyo3::prelude::*;

use crate::error::poisoned;

/// Batches from here on are worked on without the interpreter lock.
const LONG: usize = 1024;

/// The state of a Python object, and its only door.
///
/// What is done inside is pure Rust: `Send` keeps everything of Python out of the closures. So
/// nothing that Python may run at any time (a finaliser, a signal handler) can come back for the
/// state while it is taken, and whoever has it never waits for the interpreter.
pub struct Shared<T>(Mutex<T>);

impl<T: Send> Shared<T> {
    pub fn new(state: T) -> Self {
        Self(Mutex::new(state))
    }

    /// Does something short; where another thread has the state, waits without holding others up.
    pub fn with<R: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut T) -> R + Send,
    ) -> PyResult<R> {
        match self.0.try_lock() {
            Ok(mut state) => Ok(work(&mut state)),
            Err(TryLockError::WouldBlock) => self.detached(py, work),
            Err(TryLockError::Poisoned(state)) => {
                drop(state);
                Err(poisoned(py))
            }
        }
    }

    /// Does something to a batch; to a large one without the interpreter lock.
    pub fn with_batch<R: Send>(
        &self,
        py: Python<'_>,
        size: usize,
        work: impl FnOnce(&mut T) -> R + Send,
    ) -> PyResult<R> {
        if size < LONG { self.with(py, work) } else { self.detached(py, work) }
    }

    /// Does something that may take long, without the interpreter lock.
    pub fn detached<R: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut T) -> R + Send,
    ) -> PyResult<R> {
        let result = py.detach(|| self.0.lock().ok().map(|mut state| work(&mut state)));
        result.ok_or_else(|| poisoned(py))
    }
}
