//! Arrays in and out: checks of dtype and shape, and the copies.

use headway_core::{AgentId, Error, Grid, PositionFault, Step};
use numpy::ndarray::Dimension;
use numpy::{
    IntoPyArray, PyArray1, PyArray2, PyArrayDescrMethods, PyArrayMethods, PyReadonlyArray,
    PyReadonlyArray1, PyReadonlyArray2, PyUntypedArray, PyUntypedArrayMethods,
};
use pyo3::exceptions::{PyMemoryError, PyOverflowError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{IntoPyDict, PyInt};

use crate::error::{from_core, plain, raise, shown};

/// Positions of a batch: whole tiles, real coordinates, or nodes of a graph.
pub enum Positions {
    Grid(Vec<[i32; 2]>),
    Plane(Vec<[f64; 2]>),
    Graph(Vec<u32>),
}

impl Positions {
    pub fn len(&self) -> usize {
        match self {
            Self::Grid(tiles) => tiles.len(),
            Self::Plane(coordinates) => coordinates.len(),
            Self::Graph(nodes) => nodes.len(),
        }
    }
}

/// Reads anything that `numpy.asarray` makes an array, without a copy where it is one. Of a class
/// derived from arrays, whose shapes may follow rules of their own, only the array is taken.
fn as_array<'py>(given: &Bound<'py, PyAny>, what: &str) -> PyResult<Bound<'py, PyUntypedArray>> {
    let py = given.py();
    if let Ok(array) = given.cast_exact::<PyUntypedArray>() {
        return Ok(array.clone());
    }
    let numpy = py.import(intern!(py, "numpy"))?;
    let made = numpy.call_method1(intern!(py, "asarray"), (given,));
    let array = made.map_err(|error| {
        let message = format!("{what} cannot be made an array: {error}");
        plain(py, "ArrayShapeError", message)
    })?;
    Ok(array.cast_into::<PyUntypedArray>()?)
}

/// Refuses more than there is memory for, before a copy is made: an array may repeat one number in
/// itself so often that it has no size, and Rust would end the process.
pub fn check_room(what: &str, count: usize, bytes_each: usize) -> PyResult<()> {
    let bytes = count.saturating_mul(bytes_each);
    Vec::<u8>::new().try_reserve_exact(bytes).map_err(|_| {
        let message = format!("{count} {what} need {bytes} bytes of memory, more than there are");
        PyMemoryError::new_err(message)
    })
}

/// Whether the numbers lie where the processor can read them; fields of records may not.
fn is_aligned<T, D: Dimension>(array: &PyReadonlyArray<'_, T, D>) -> bool
where
    T: numpy::Element,
{
    let align = align_of::<T>() as isize;
    array.data().is_aligned() && array.strides().iter().all(|stride| stride % align == 0)
}

/// An aligned copy in this type and the machine's byte order.
fn copy_as<'py>(
    array: &Bound<'py, PyUntypedArray>,
    dtype: &str,
) -> PyResult<Bound<'py, PyUntypedArray>> {
    let py = array.py();
    let copied = array.call_method1(intern!(py, "astype"), (dtype,))?;
    Ok(copied.cast_into::<PyUntypedArray>()?)
}

fn wrong_dtype(array: &Bound<'_, PyUntypedArray>, what: &str, wanted: &str) -> PyErr {
    let got = match number_too_large(array) {
        Some(number) => format!("{number}, which does not fit 64 bits"),
        None => format!("dtype {}", array.dtype()),
    };
    plain(array.py(), "ArrayTypeError", format!("{what} must be {wanted}, got {got}"))
}

/// The first of the numbers that made numpy keep them as Python objects.
fn number_too_large(array: &Bound<'_, PyUntypedArray>) -> Option<String> {
    if array.dtype().kind() != b'O' {
        return None;
    }
    let flat = array.call_method0(intern!(array.py(), "ravel")).ok()?;
    let too_large = |item: &Bound<'_, PyAny>| {
        item.is_instance_of::<PyInt>()
            && item.extract::<i64>().is_err()
            && item.extract::<u64>().is_err()
    };
    flat.try_iter().ok()?.flatten().find(too_large).map(|number| shown(&number))
}

fn wrong_shape(array: &Bound<'_, PyUntypedArray>, what: &str, wanted: &str) -> PyErr {
    let sizes: Vec<_> = array.shape().iter().map(ToString::to_string).collect();
    let comma = if sizes.len() == 1 { "," } else { "" };
    let message = format!("{what} must have shape {wanted}, got ({}{comma})", sizes.join(", "));
    plain(array.py(), "ArrayShapeError", message)
}

/// Whole numbers of any integer type, row by row; an empty list counts as such.
fn whole_numbers(array: &Bound<'_, PyUntypedArray>, what: &str) -> PyResult<Vec<i128>> {
    if array.len() == 0 {
        return Ok(Vec::new());
    }
    check_room(what, array.len(), 2 * size_of::<i128>())?;
    match array.dtype().kind() {
        b'i' => {
            let wide = copy_as(array, "int64")?.call_method1("reshape", (-1,))?;
            let wide = wide.cast::<PyArray1<i64>>()?.readonly();
            Ok(wide.as_array().iter().map(|&x| i128::from(x)).collect())
        }
        b'u' => {
            let wide = copy_as(array, "uint64")?.call_method1("reshape", (-1,))?;
            let wide = wide.cast::<PyArray1<u64>>()?.readonly();
            Ok(wide.as_array().iter().map(|&x| i128::from(x)).collect())
        }
        _ => Err(wrong_dtype(array, what, "whole numbers")),
    }
}

/// A one-dimensional batch of whole numbers, read by `read` one by one.
pub fn integers<T>(
    given: &Bound<'_, PyAny>,
    what: &str,
    mut read: impl FnMut(i128) -> PyResult<T>,
) -> PyResult<Vec<T>> {
    if let Ok(array) = given.extract::<PyReadonlyArray1<'_, i64>>()
        && is_aligned(&array)
    {
        check_room(what, array.len(), size_of::<i128>())?;
        return array.as_array().iter().map(|&x| read(i128::from(x))).collect();
    }
    let array = as_array(given, what)?;
    if array.ndim() != 1 {
        return Err(wrong_shape(&array, what, "(k,)"));
    }
    whole_numbers(&array, what)?.into_iter().map(read).collect()
}

/// Ids of agents; errors tell how many `agents` have joined.
pub fn ids(given: &Bound<'_, PyAny>, agents: impl Fn() -> PyResult<u32>) -> PyResult<Vec<AgentId>> {
    let unknown = |id| match agents() {
        Ok(agents) => from_core(given.py(), &Error::UnknownAgent { agent: id, agents }),
        Err(error) => error,
    };
    integers(given, "ids", |id| u32::try_from(id).map(AgentId).map_err(|_| unknown(id)))
}

/// A whole number of any size; none where it does not fit.
pub fn whole_number(given: &Bound<'_, PyAny>) -> PyResult<Option<i128>> {
    match given.extract() {
        Ok(number) => Ok(Some(number)),
        Err(error) if error.is_instance_of::<PyOverflowError>(given.py()) => Ok(None),
        Err(error) => Err(error),
    }
}

/// An id as the core names it, if it can be one.
pub fn agent(given: &Bound<'_, PyAny>, agents: impl Fn() -> PyResult<u32>) -> PyResult<AgentId> {
    let py = given.py();
    if let Ok(id) = given.extract() {
        return Ok(AgentId(id));
    }
    let agents = agents()?;
    let Some(id) = whole_number(given)? else {
        let facts = [("agent", given.clone()), ("agents", agents.into_pyobject(py)?.into_any())];
        let message =
            format!("no agent {}: {agents} agents have joined, numbered from 0", shown(given));
        return Err(raise(py, "UnknownAgentError", message, &facts.into_py_dict(py)?));
    };
    Err(from_core(py, &Error::UnknownAgent { agent: id, agents }))
}

/// Whose position it is, and in which step it gets there; none for one about to join.
pub type Whose = (AgentId, Option<Step>);

/// Positions of shape (k, 2); integers are tiles, floats are coordinates. `whose` names the agent
/// of a row in errors.
pub fn positions(given: &Bound<'_, PyAny>, whose: impl Fn(usize) -> Whose) -> PyResult<Positions> {
    let array = as_array(given, "positions")?;
    if array.ndim() != 2 || array.shape()[1] != 2 {
        return Err(wrong_shape(&array, "positions", "(k, 2)"));
    }
    check_room("positions", array.shape()[0], size_of::<[f64; 2]>())?;
    match array.dtype().kind() {
        b'i' | b'u' => grid(&array, whose).map(Positions::Grid),
        b'f' => plane(&array).map(Positions::Plane),
        _ => Err(wrong_dtype(&array, "positions", "whole numbers (tiles) or floats (coordinates)")),
    }
}

/// Positions for a grid; also takes an empty array of any dtype.
pub fn tiles(given: &Bound<'_, PyAny>, whose: impl Fn(usize) -> Whose) -> PyResult<Vec<[i32; 2]>> {
    let array = as_array(given, "positions")?;
    if array.len() == 0 {
        return Ok(Vec::new());
    }
    match positions(array.as_any(), whose)? {
        Positions::Grid(tiles) => Ok(tiles),
        Positions::Plane(_) | Positions::Graph(_) => {
            Err(wrong_dtype(&array, "positions", "whole numbers, as at the start"))
        }
    }
}

/// Positions for a plane; whole numbers are taken too.
pub fn coordinates(
    given: &Bound<'_, PyAny>,
    whose: impl Fn(usize) -> Whose,
) -> PyResult<Vec<[f64; 2]>> {
    let array = as_array(given, "positions")?;
    if array.len() == 0 {
        return Ok(Vec::new());
    }
    Ok(match positions(array.as_any(), whose)? {
        Positions::Grid(tiles) => tiles.into_iter().map(|tile| tile.map(f64::from)).collect(),
        Positions::Plane(coordinates) => coordinates,
        Positions::Graph(_) => unreachable!("Invariant: an array has no nodes by itself"),
    })
}

/// A node of a graph by its number; one that does not fit 32 bits is refused by `refuse`.
pub fn node(given: &Bound<'_, PyAny>, refuse: impl Fn(f64) -> PyErr) -> PyResult<u32> {
    if let Ok(node) = given.extract() {
        return Ok(node);
    }
    if let Ok(number) = whole_number(given) {
        return Err(refuse(number.map_or(f64::INFINITY, |number| number as f64)));
    }
    let message = format!("a position on a graph is a whole number, a node, got {}", shown(given));
    Err(plain(given.py(), "ArrayTypeError", message))
}

/// One position as an array of shape (1, 2).
pub fn one_position<'py>(given: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let array = as_array(given, "position")?;
    if array.shape() != [2] {
        return Err(wrong_shape(&array, "position", "(2,)"));
    }
    array.call_method1(intern!(array.py(), "reshape"), ((1, 2),))
}

fn grid(
    array: &Bound<'_, PyUntypedArray>,
    whose: impl Fn(usize) -> Whose,
) -> PyResult<Vec<[i32; 2]>> {
    let py = array.py();
    if let Ok(tiles) = array.extract::<PyReadonlyArray2<'_, i32>>()
        && is_aligned(&tiles)
    {
        return Ok(tiles.as_array().rows().into_iter().map(|row| [row[0], row[1]]).collect());
    }
    if let Ok(wide) = array.extract::<PyReadonlyArray2<'_, i64>>()
        && is_aligned(&wide)
    {
        let wide = wide.as_array();
        let rows = wide.rows().into_iter().map(|row| [row[0].into(), row[1].into()]);
        return rows.enumerate().map(|(i, row)| tile(py, row, || whose(i))).collect();
    }
    let flat = whole_numbers(array, "positions")?;
    let rows = flat.chunks_exact(2).map(|row| [row[0], row[1]]);
    rows.enumerate().map(|(i, row)| tile(py, row, || whose(i))).collect()
}

/// A tile as the core takes it; one that does not even fit 32 bits is refused in its words.
fn tile(py: Python<'_>, row: [i128; 2], whose: impl Fn() -> Whose) -> PyResult<[i32; 2]> {
    if let (Ok(x), Ok(y)) = (i32::try_from(row[0]), i32::try_from(row[1])) {
        return Ok([x, y]);
    }
    let (agent, clock) = whose();
    let fault = PositionFault::TooFar(f64::from(Grid::LIMIT));
    let position = row.map(|x| x as f64);
    Err(from_core(py, &Error::BadPosition { agent, clock, position, fault }))
}

fn plane(array: &Bound<'_, PyUntypedArray>) -> PyResult<Vec<[f64; 2]>> {
    let read = |array: PyReadonlyArray2<'_, f64>| {
        array.as_array().rows().into_iter().map(|row| [row[0], row[1]]).collect()
    };
    if let Ok(coordinates) = array.extract::<PyReadonlyArray2<'_, f64>>()
        && is_aligned(&coordinates)
    {
        return Ok(read(coordinates));
    }
    Ok(read(copy_as(array, "float64")?.cast::<PyArray2<f64>>()?.readonly()))
}

/// A whole number from an option, where it lies within `limits`; else an error of this class.
pub fn option(
    given: &Bound<'_, PyAny>,
    what: &str,
    limits: (u64, u64),
    class: &str,
) -> PyResult<u64> {
    let (least, most) = limits;
    let number = given.extract::<u64>().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| {
        let shown = shown(given);
        let message = format!("{what} must be a whole number from {least} to {most}, got {shown}");
        plain(given.py(), class, message)
    })
}

/// A number from an option; else an error of this class.
pub fn number(given: &Bound<'_, PyAny>, what: &str, class: &str) -> PyResult<f64> {
    given.extract().map_err(|_| {
        let message = format!("{what} must be a number, got {}", shown(given));
        plain(given.py(), class, message)
    })
}

/// One number for all agents, or one for each.
pub enum PerAgent {
    One(f64),
    Each(Vec<f64>),
}

impl PerAgent {
    pub fn of(&self, agent: usize) -> f64 {
        match self {
            Self::One(value) => *value,
            Self::Each(values) => values[agent],
        }
    }

    pub fn for_all(&self) -> Option<f64> {
        match self {
            Self::One(value) => Some(*value),
            Self::Each(_) => None,
        }
    }
}

/// One number for all agents, or one for each, as floats.
pub fn per_agent(given: &Bound<'_, PyAny>, what: &str, agents: usize) -> PyResult<PerAgent> {
    let array = as_array(given, what)?;
    if !matches!(array.dtype().kind(), b'i' | b'u' | b'f') {
        return Err(wrong_dtype(&array, what, "a number or an array of numbers"));
    }
    let one = array.ndim() == 0;
    if !one && (array.ndim() != 1 || array.shape()[0] != agents) {
        return Err(wrong_shape(&array, what, &format!("() or ({agents},), one for each agent")));
    }
    let py = array.py();
    let flat = copy_as(&array, "float64")?.call_method1(intern!(py, "reshape"), (-1,))?;
    let values = flat.cast::<PyArray1<f64>>()?.readonly().as_array().to_vec();
    Ok(if one { PerAgent::One(values[0]) } else { PerAgent::Each(values) })
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

/// Positions as a new array: int64 or float64 of shape (k, 2), or the nodes, int64 of shape (k,).
pub fn from_positions(py: Python<'_>, positions: Positions) -> PyResult<Bound<'_, PyAny>> {
    let shape = [positions.len(), 2];
    Ok(match positions {
        Positions::Grid(tiles) => {
            let flat: Vec<i64> = tiles.into_iter().flatten().map(i64::from).collect();
            flat.into_pyarray(py).reshape(shape)?.into_any()
        }
        Positions::Plane(places) => {
            places.into_flattened().into_pyarray(py).reshape(shape)?.into_any()
        }
        Positions::Graph(nodes) => from_steps(py, nodes.into_iter()).into_any(),
    })
}
