//! `headway.engines.virtual`'s server: the virtual-time model over numpy batches.

use headway_vtime::{Error, Model, RequestId, Server};
use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::arrays;
use crate::error::{plain, shown};
use crate::shared::Shared;

/// A modelled LLM server with continuous batching. All its times are modelled seconds.
///
/// Each of `replicas` forms iterations of at most `max_sequences` requests and `token_budget`
/// tokens, in the order of (priority, arrival). An iteration lasts
/// `max(t0, p * prefill_tokens) + d * decoding_sequences` seconds (DESIGN section 6). Nothing
/// happens between calls: `advance` jumps to the next completion.
///
/// Parameters
/// ----------
/// replicas : int
///     Copies of the model; a request goes to the one with the fewest requests in flight.
/// t0, p, d : float
///     Seconds: of an iteration at least, per prompt token, per decoding sequence.
/// max_sequences : int
///     Requests a replica works on at a time.
/// token_budget : int
///     Tokens of one iteration; longer prompts are processed in chunks.
///
/// Raises
/// ------
/// EngineError
///     A number outside its range; the message names the range.
///
/// Notes
/// -----
/// Safe to use from several threads, as in `Scheduler`: each call is carried out or refused as a
/// whole, one after the other.
#[pyclass(frozen, name = "VirtualServer", module = "headway")]
pub struct PyVirtualServer(Shared<Server>);

fn refuse(py: Python<'_>, error: Error) -> PyErr {
    plain(py, "EngineError", error.to_string())
}

/// The ids of requests as a new array.
fn numbers(py: Python<'_>, ids: Vec<RequestId>) -> Bound<'_, PyArray1<i64>> {
    ids.into_iter().map(|id| id.0 as i64).collect::<Vec<_>>().into_pyarray(py)
}

/// Counts of tokens; what does not fit 32 bits is refused here, 0 by the model.
fn counts(given: &Bound<'_, PyAny>, what: &str) -> PyResult<Vec<u32>> {
    arrays::integers(given, what, |tokens| {
        u32::try_from(tokens).map_err(|_| {
            let message = format!("{what} must lie between 1 and 4294967295, got {tokens}");
            plain(given.py(), "EngineError", message)
        })
    })
}

#[pymethods]
impl PyVirtualServer {
    #[new]
    #[pyo3(signature = (replicas, *, t0, p, d, max_sequences, token_budget))]
    fn new(
        py: Python<'_>,
        replicas: &Bound<'_, PyAny>,
        t0: f64,
        p: f64,
        d: f64,
        max_sequences: &Bound<'_, PyAny>,
        token_budget: &Bound<'_, PyAny>,
    ) -> PyResult<Self> {
        let count = |given: &Bound<'_, PyAny>, what: &str| {
            let limits = (0, u64::from(u32::MAX));
            arrays::option(given, what, limits, "EngineError").map(|count| count as u32)
        };
        let replicas = count(replicas, "replicas")?;
        let max_sequences = count(max_sequences, "max_sequences")?;
        let token_budget = count(token_budget, "token_budget")?;
        Model::new(t0, p, d, max_sequences, token_budget)
            .and_then(|model| Server::new(model, replicas))
            .map(|server| Self(Shared::new(server)))
            .map_err(|error| refuse(py, error))
    }

    /// Submit a batch of requests now.
    ///
    /// Parameters
    /// ----------
    /// priorities : int64 (k,)
    ///     Smaller is served first; of equals the one submitted first.
    /// prompt_tokens, output_tokens : int64 (k,)
    ///     At least 1 each, at most 2**32 - 1.
    ///
    /// Returns
    /// -------
    /// int64 (k,)
    ///     New array: the requests' ids, counted from 0 in the order of submission.
    ///
    /// Raises
    /// ------
    /// EngineError, ArrayTypeError, ArrayShapeError
    ///     Nothing has been submitted then.
    fn submit<'py>(
        &self,
        py: Python<'py>,
        priorities: &Bound<'py, PyAny>,
        prompt_tokens: &Bound<'py, PyAny>,
        output_tokens: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyArray1<i64>>> {
        let priorities = arrays::integers(priorities, "priorities", |priority| {
            i64::try_from(priority).map_err(|_| {
                plain(py, "EngineError", format!("priorities must fit 64 bits, got {priority}"))
            })
        })?;
        let prompts = counts(prompt_tokens, "prompt_tokens")?;
        let outputs = counts(output_tokens, "output_tokens")?;
        if priorities.len() != prompts.len() || priorities.len() != outputs.len() {
            let message = format!(
                "submit() got {} priorities, {} prompt_tokens and {} output_tokens",
                priorities.len(),
                prompts.len(),
                outputs.len()
            );
            return Err(plain(py, "ArrayShapeError", message));
        }
        let ids = self.0.with(py, |server| {
            for (&prompt, &output) in prompts.iter().zip(&outputs) {
                // Refused as a whole, before anything is submitted.
                server.model().lone_latency(prompt, output)?;
            }
            let requests = priorities.iter().zip(&prompts).zip(&outputs);
            requests
                .map(|((&priority, &prompt), &output)| server.submit(priority, prompt, output))
                .collect::<Result<Vec<_>, _>>()
        })?;
        Ok(numbers(py, ids.map_err(|error| refuse(py, error))?))
    }

    /// Jump to the next time at which a request finishes.
    ///
    /// Returns
    /// -------
    /// int64 (k,)
    ///     New array: all requests that finish at that very time, by replica, then in the order of
    ///     admission. Empty, and no time passes, if nothing is in flight.
    fn advance<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray1<i64>>> {
        let mut finished = Vec::new();
        self.0.with(py, |server| server.advance(&mut finished))?;
        Ok(numbers(py, finished))
    }

    /// Take a request back; return whether it was still in flight.
    ///
    /// Raises
    /// ------
    /// EngineError
    ///     If no request with this id was ever submitted.
    fn cancel(&self, request: &Bound<'_, PyAny>) -> PyResult<bool> {
        let py = request.py();
        let id = arrays::whole_number(request)?.and_then(|id| u64::try_from(id).ok());
        let id = id.map(RequestId).ok_or_else(|| {
            let message = format!("no request {}: they are numbered from 0", shown(request));
            plain(py, "EngineError", message)
        })?;
        self.0.with(py, |server| server.cancel(id))?.map_err(|error| refuse(py, error))
    }

    /// Return how long calls would take alone on an idle replica, in modelled seconds.
    ///
    /// Parameters
    /// ----------
    /// prompt_tokens, output_tokens : int64 (k,)
    ///
    /// Returns
    /// -------
    /// float64 (k,)
    ///     New array.
    ///
    /// Raises
    /// ------
    /// EngineError, ArrayTypeError, ArrayShapeError
    fn lone_latency<'py>(
        &self,
        py: Python<'py>,
        prompt_tokens: &Bound<'py, PyAny>,
        output_tokens: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyArray1<f64>>> {
        let prompts = counts(prompt_tokens, "prompt_tokens")?;
        let outputs = counts(output_tokens, "output_tokens")?;
        if prompts.len() != outputs.len() {
            let (prompts, outputs) = (prompts.len(), outputs.len());
            let message =
                format!("lone_latency() got {prompts} prompt_tokens and {outputs} output_tokens");
            return Err(plain(py, "ArrayShapeError", message));
        }
        let model = self.0.with(py, |server| *server.model())?;
        let latencies: Result<Vec<f64>, Error> = prompts
            .iter()
            .zip(&outputs)
            .map(|(&prompt, &output)| model.lone_latency(prompt, output))
            .collect();
        Ok(latencies.map_err(|error| refuse(py, error))?.into_pyarray(py))
    }

    /// Return what has been done up to now, as a dict.
    ///
    /// `seconds` (modelled, since the start), `submitted`, `finished`, `cancelled`,
    /// `in_flight_seconds` (summed over requests), and summed over replicas `busy_seconds`,
    /// `iterations`, `prompt_tokens`, `output_tokens`, `cancelled_tokens`.
    fn statistics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let statistics = self.0.with(py, |server| server.statistics())?;
        let sum = |field: fn(&headway_vtime::ReplicaStatistics) -> u64| {
            statistics.replicas.iter().map(field).sum::<u64>()
        };
        let facts = PyDict::new(py);
        facts.set_item("seconds", statistics.now)?;
        facts.set_item("submitted", statistics.submitted)?;
        facts.set_item("finished", statistics.finished)?;
        facts.set_item("cancelled", statistics.cancelled)?;
        facts.set_item("in_flight_seconds", statistics.in_flight_seconds)?;
        let busy: f64 = statistics.replicas.iter().map(|replica| replica.busy_seconds).sum();
        facts.set_item("busy_seconds", busy)?;
        facts.set_item("iterations", sum(|replica| replica.iterations))?;
        facts.set_item("prompt_tokens", sum(|replica| replica.prompt_tokens))?;
        facts.set_item("output_tokens", sum(|replica| replica.output_tokens))?;
        facts.set_item(
            "cancelled_tokens",
            sum(|replica| replica.cancelled_prompt_tokens + replica.cancelled_output_tokens),
        )?;
        Ok(facts)
    }

    /// Modelled seconds since the start.
    #[getter]
    fn now(&self, py: Python<'_>) -> PyResult<f64> {
        self.0.with(py, |server| server.now())
    }

    /// How many requests wait or run.
    #[getter]
    fn in_flight(&self, py: Python<'_>) -> PyResult<usize> {
        self.0.with(py, |server| server.in_flight())
    }

    /// How many copies of the model there are, as given.
    #[getter]
    fn replicas(&self, py: Python<'_>) -> PyResult<usize> {
        self.0.with(py, |server| server.loads().len())
    }
}
