//! `headway._core.Graph`: who is linked with whom.

use headway_core::{Error, Graph, PositionFault, Space};
use numpy::PyArray1;
use pyo3::prelude::*;

use crate::arrays;
use crate::error::{from_core, plain, shown};
use crate::shared::Shared;

/// A graph whose nodes are the places of agents: the distance of two is the number of hops.
///
/// For social networks, whose agents mostly stay (speed 0) and see those they are linked with
/// (sight 1). Links go both ways; where no path leads, agents are infinitely far apart. Pass it to
/// `Scheduler` or `PositionHistory` as `graph`; several may share one.
///
/// Parameters
/// ----------
/// indptr : int64 (n + 1,)
///     Where the links of each node begin in `indices`, and the number of links at last: the
///     layout of `scipy.sparse.csr_array`. Copied.
/// indices : int64 (m,)
///     The nodes that node i is linked with are `indices[indptr[i]:indptr[i + 1]]`. A link given
///     one way counts both ways; doubles and links of a node with itself do not matter. Copied.
///
/// Raises
/// ------
/// ArrayTypeError, ArrayShapeError
///     Not whole numbers; not one-dimensional.
/// OptionError
///     Numbers that make no graph; the message names the first.
///
/// Notes
/// -----
/// Never changes; safe to use from several threads, as in `Scheduler`.
#[pyclass(frozen, name = "Graph", module = "headway._core")]
pub struct PyGraph(Shared<Graph>);

#[pymethods]
impl PyGraph {
    #[new]
    #[pyo3(signature = (indptr, indices))]
    fn new(indptr: &Bound<'_, PyAny>, indices: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = indptr.py();
        let refuse = |message| plain(py, "OptionError", message);
        let starts = arrays::integers(indptr, "indptr", |at| {
            usize::try_from(at).map_err(|_| refuse(format!("indptr must not hold {at}")))
        })?;
        let ends = arrays::integers(indices, "indices", |node| {
            let message = || format!("indices must be nodes, numbered from 0, got {node}");
            u32::try_from(node).map_err(|_| refuse(message()))
        })?;
        let graph = py.detach(|| Graph::new(&starts, &ends));
        graph.map(|graph| Self(Shared::new(graph))).map_err(|fault| refuse(fault.to_string()))
    }

    /// Return the number of hops between two nodes, `inf` where no path leads.
    ///
    /// Walks outward from `a` until it meets `b`; asked again about the same `a`, it goes on.
    ///
    /// Raises
    /// ------
    /// PositionError, ArrayTypeError
    ///     No such node; not a whole number.
    fn hops<'py>(
        &self,
        a: &Bound<'py, PyAny>,
        b: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = a.py();
        let (a, b) = (self.node(a)?, self.node(b)?);
        let hops = self.0.with(py, |graph| graph.distance(a, b))?;
        if hops.is_finite() {
            return Ok((hops as u32).into_pyobject(py)?.into_any());
        }
        Ok(hops.into_pyobject(py)?.into_any())
    }

    /// Return the nodes linked with this one, ascending (int64, new array).
    ///
    /// Raises
    /// ------
    /// PositionError, ArrayTypeError
    ///     No such node; not a whole number.
    fn neighbours<'py>(&self, node: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyArray1<i64>>> {
        let py = node.py();
        let node = self.node(node)?;
        let found = self.0.with(py, |graph| graph.neighbours(node).to_vec())?;
        Ok(arrays::from_steps(py, found.into_iter()))
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.nodes(py)? as usize)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("<Graph of {} nodes>", self.nodes(py)?))
    }
}

impl PyGraph {
    fn nodes(&self, py: Python<'_>) -> PyResult<u32> {
        self.0.with(py, |graph| graph.nodes())
    }

    fn node(&self, given: &Bound<'_, PyAny>) -> PyResult<u32> {
        let py = given.py();
        let nodes = self.nodes(py)?;
        let refuse = |position| {
            from_core(py, &Error::BadPlace { position, fault: PositionFault::NoNode(nodes) })
        };
        let node = arrays::node(given, |number| refuse([number, 0.0]))?;
        if node < nodes { Ok(node) } else { Err(refuse([f64::from(node), 0.0])) }
    }
}

/// The graph that was given as an option; it shares the links.
pub fn graph_of(given: &Bound<'_, PyAny>) -> PyResult<Graph> {
    let py = given.py();
    let Ok(graph) = given.cast::<PyGraph>() else {
        let message = format!("graph must be a Graph, got {}", shown(given));
        return Err(plain(py, "OptionError", message));
    };
    graph.get().0.with(py, |graph| graph.clone())
}
