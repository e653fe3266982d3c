//! Arrays in and out: checks of dtype and shape, and the copies.

use headway_core::AgentId;
use numpy::{
    IntoPyArray, PyArray1, PyArray2, PyArrayDescrMethods, PyArrayMethods, PyReadonlyArray1,
    PyReadonlyArray2, PyUntypedArray, PyUntypedArrayMethods,
};
use pyo3::intern;
use pyo3::prelude::*;

use crate::error::plain;

/// Positions of a batch: whole tiles, or real coordinates.
pub enum Positions {
    Grid(Vec<[i32; 2]>),
    Plane(Vec<[f64; 2]>),
}

/// Reads anything that `numpy.asarray` makes an array, without a copy where it is one.
fn as_array<'py>(given: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyUntypedArray>> {
    if let Ok(array) = given.cast::<PyUntypedArray>() {
        return Ok(array.clone());
    }
    let py = given.py();
    let array = py.import(intern!(py, "numpy"))?.call_method1(intern!(py, "asarray"), (given,))?;
    Ok(array.cast_into::<PyUntypedArray>()?)
}

fn wrong_dtype(array: &Bound<'_, PyUntypedArray>, what: &str, wanted: &str) -> PyErr {
    let message = format!("{what} must be {wanted}, got dtype {}", array.dtype());
    plain(array.py(), "ArrayTypeError", message)
}

fn wrong_shape(array: &Bound<'_, PyUntypedArray>, what: &str, wanted: &str) -> PyErr {
    let message = format!("{what} must have shape {wanted}, got {:?}", array.shape());
    plain(array.py(), "ArrayShapeError", message)
}

/// Whole numbers of any integer type as int64; an empty list counts as such.
fn as_int64<'py>(
    array: &Bound<'py, PyUntypedArray>,
    what: &str,
) -> PyResult<Bound<'py, PyUntypedArray>> {
    if !matches!(array.dtype().kind(), b'i' | b'u') && array.len() > 0 {
        return Err(wrong_dtype(array, what, "whole numbers (int64 is taken without a copy)"));
    }
    let py = array.py();
    let copied = array.call_method1(intern!(py, "astype"), (intern!(py, "int64"),))?;
    Ok(copied.cast_into::<PyUntypedArray>()?)
}

/// A one-dimensional batch of whole numbers.
pub fn integers<'py>(
    given: &Bound<'py, PyAny>,
    what: &str,
) -> PyResult<PyReadonlyArray1<'py, i64>> {
    if let Ok(array) = given.extract::<PyReadonlyArray1<'py, i64>>() {
        return Ok(array);
    }
    let array = as_array(given)?;
    if array.ndim() != 1 {
        return Err(wrong_shape(&array, what, "(k,)"));
    }
    Ok(as_int64(&array, what)?.cast::<PyArray1<i64>>()?.readonly())
}

/// Ids of agents. An id out of range becomes one that no agent has.
pub fn ids(given: &Bound<'_, PyAny>) -> PyResult<Vec<AgentId>> {
    let array = integers(given, "ids")?;
    let outside = |id: i64| {
        let message = format!("no agent {id}: agents are numbered from 0");
        let facts = pyo3::types::PyDict::new(given.py());
        match facts.set_item("agent", id) {
            Ok(()) => crate::error::raise(given.py(), "UnknownAgentError", message, &facts),
            Err(error) => error,
        }
    };
    array.as_array().iter().map(|&id| agent(id).ok_or_else(|| outside(id))).collect()
}

/// An id as the core names it; `None` where it fits no agent.
pub fn agent(id: i64) -> Option<AgentId> {
    u32::try_from(id).ok().map(AgentId)
}

/// Positions of shape (k, 2); integers are tiles, floats are coordinates.
pub fn positions(given: &Bound<'_, PyAny>) -> PyResult<Positions> {
    let array = as_array(given)?;
    let kind = array.dtype().kind();
    if array.ndim() != 2 || array.shape()[1] != 2 {
        return Err(wrong_shape(&array, "positions", "(k, 2)"));
    }
    match kind {
        b'i' | b'u' => grid(&array).map(Positions::Grid),
        b'f' => plane(&array).map(Positions::Plane),
        _ => Err(wrong_dtype(&array, "positions", "whole numbers (tiles) or floats (coordinates)")),
    }
}

/// Positions for a grid; also takes an empty array of any dtype.
pub fn tiles(given: &Bound<'_, PyAny>) -> PyResult<Vec<[i32; 2]>> {
    match positions_or_empty(given)? {
        Some(Positions::Grid(tiles)) => Ok(tiles),
        Some(Positions::Plane(_)) => {
            Err(wrong_dtype(&as_array(given)?, "positions", "whole numbers, as at the start"))
        }
        None => Ok(Vec::new()),
    }
}

/// Positions for a plane; whole numbers are taken too.
pub fn coordinates(given: &Bound<'_, PyAny>) -> PyResult<Vec<[f64; 2]>> {
    match positions_or_empty(given)? {
        Some(Positions::Grid(tiles)) => {
            Ok(tiles.into_iter().map(|tile| tile.map(f64::from)).collect())
        }
        Some(Positions::Plane(coordinates)) => Ok(coordinates),
        None => Ok(Vec::new()),
    }
}

fn positions_or_empty(given: &Bound<'_, PyAny>) -> PyResult<Option<Positions>> {
    if as_array(given)?.len() == 0 { Ok(None) } else { positions(given).map(Some) }
}

fn grid(array: &Bound<'_, PyUntypedArray>) -> PyResult<Vec<[i32; 2]>> {
    if let Ok(tiles) = array.extract::<PyReadonlyArray2<'_, i32>>() {
        return Ok(tiles.as_array().rows().into_iter().map(|row| [row[0], row[1]]).collect());
    }
    let wide = as_int64(array, "positions")?;
    let wide = wide.cast::<PyArray2<i64>>()?.readonly();
    // Beyond 32 bits is far beyond the core's limit, which the core reports.
    let clip = |x: i64| i32::try_from(x).unwrap_or(if x < 0 { i32::MIN } else { i32::MAX });
    Ok(wide.as_array().rows().into_iter().map(|row| [clip(row[0]), clip(row[1])]).collect())
}

fn plane(array: &Bound<'_, PyUntypedArray>) -> PyResult<Vec<[f64; 2]>> {
    let read = |array: PyReadonlyArray2<'_, f64>| {
        array.as_array().rows().into_iter().map(|row| [row[0], row[1]]).collect()
    };
    if let Ok(coordinates) = array.extract::<PyReadonlyArray2<'_, f64>>() {
        return Ok(read(coordinates));
    }
    let py = array.py();
    let wide = array.call_method1(intern!(py, "astype"), (intern!(py, "float64"),))?;
    Ok(read(wide.cast::<PyArray2<f64>>()?.readonly()))
}

/// One number for all agents, or one for each, as floats.
pub fn per_agent(given: &Bound<'_, PyAny>, what: &str, agents: usize) -> PyResult<Vec<f64>> {
    let array = as_array(given)?;
    if !matches!(array.dtype().kind(), b'i' | b'u' | b'f') {
        return Err(wrong_dtype(&array, what, "a number or an array of numbers"));
    }
    let one = array.ndim() == 0;
    if !one && (array.ndim() != 1 || array.shape()[0] != agents) {
        return Err(wrong_shape(&array, what, &format!("() or ({agents},), one for each agent")));
    }
    let py = array.py();
    let flat = array
        .call_method1(intern!(py, "astype"), (intern!(py, "float64"),))?
        .call_method1(intern!(py, "reshape"), (-1,))?;
    let values = flat.cast::<PyArray1<f64>>()?.readonly().as_array().to_vec();
    Ok(if one { vec![values[0]; agents] } else { values })
}

/// Ids as a new int64 array.
pub fn from_ids<'py>(py: Python<'py>, ids: &[AgentId]) -> Bound<'py, PyArray1<i64>> {
    from_steps(py, ids.iter().map(|id| id.0))
}

/// Steps, labels or counts as a new int64 array.
pub fn from_steps<'py>(
    py: Python<'py>,
    steps: impl Iterator<Item = u32>,
) -> Bound<'py, PyArray1<i64>> {
    steps.map(i64::from).collect::<Vec<_>>().into_pyarray(py)
}
