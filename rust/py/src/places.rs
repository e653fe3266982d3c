//! Positions of each kind: tiles, coordinates, nodes of a graph.

use headway_core::{AgentId, Error, Graph, Grid, Metric, Plane, PositionFault};
use pyo3::prelude::*;

use crate::arrays::{self, Positions, Whose};
use crate::error::{from_core, plain};
use crate::graph::graph_of;
use crate::options::{Name, grid, metric_named, plane, size_of_world};

/// What kind of position a scheduler or a history was made of; it never changes.
#[derive(Clone, Copy)]
pub enum Kind {
    Grid,
    Plane,
    /// With its number of nodes.
    Graph(u32),
}

pub const OTHER_KIND: &str = "Invariant: the kind of position never changes";

/// One position.
#[derive(Clone, Copy)]
pub enum Place {
    Tile([i32; 2]),
    Coordinates([f64; 2]),
    Node(u32),
}

impl Kind {
    /// Positions of a batch; `whose` names the agent of a row in errors.
    pub fn positions(
        self,
        given: &Bound<'_, PyAny>,
        whose: impl Fn(usize) -> Whose,
    ) -> PyResult<Positions> {
        match self {
            Self::Grid => arrays::tiles(given, whose).map(Positions::Grid),
            Self::Plane => arrays::coordinates(given, whose).map(Positions::Plane),
            Self::Graph(nodes) => nodes_of(given, nodes, whose).map(Positions::Graph),
        }
    }

    /// One position; errors tell `whose` it is.
    pub fn place(
        self,
        given: &Bound<'_, PyAny>,
        whose: impl Fn() -> Option<AgentId>,
    ) -> PyResult<Place> {
        let row = |_| (whose().unwrap_or(AgentId(u32::MAX)), None);
        let one = || arrays::one_position(given);
        Ok(match self {
            Self::Grid => Place::Tile(match given.extract() {
                Ok(tile) => tile,
                Err(_) => arrays::tiles(&one()?, row)?[0],
            }),
            Self::Plane => Place::Coordinates(match given.extract() {
                Ok(coordinates) => coordinates,
                Err(_) => arrays::coordinates(&one()?, row)?[0],
            }),
            Self::Graph(nodes) => Place::Node(arrays::node(given, |number| {
                let (position, fault) = ([number, 0.0], PositionFault::NoNode(nodes));
                let error = match whose() {
                    Some(agent) => Error::BadPosition { agent, clock: None, position, fault },
                    None => Error::BadPlace { position, fault },
                };
                from_core(given.py(), &error)
            })?),
        })
    }
}

impl Place {
    /// The position as Python sees it: (x, y), or a node.
    pub fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        Ok(match self {
            Self::Tile([x, y]) => (x, y).into_pyobject(py)?.into_any(),
            Self::Coordinates([x, y]) => (x, y).into_pyobject(py)?.into_any(),
            Self::Node(node) => node.into_pyobject(py)?.into_any(),
        })
    }
}

/// Nodes of a batch; also takes an empty array of any dtype.
fn nodes_of(
    given: &Bound<'_, PyAny>,
    nodes: u32,
    whose: impl Fn(usize) -> Whose,
) -> PyResult<Vec<u32>> {
    let mut row = 0;
    arrays::integers(given, "positions", |node| {
        row += 1;
        u32::try_from(node).map_err(|_| {
            let (agent, clock) = whose(row - 1);
            let (position, fault) = ([node as f64, 0.0], PositionFault::NoNode(nodes));
            from_core(given.py(), &Error::BadPosition { agent, clock, position, fault })
        })
    })
}

/// First positions and the space they lie in.
pub enum Start {
    Grid(Grid, Vec<[i32; 2]>),
    Plane(Plane, Vec<[f64; 2]>),
    Graph(Graph, Vec<u32>),
}

impl Start {
    /// Reads what the positions mean, and the name of the metric for good.
    pub fn read(
        positions: &Bound<'_, PyAny>,
        metric: &Name<'_>,
        wrap: Option<&Bound<'_, PyAny>>,
        graph: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<(&'static str, Self)> {
        let py = positions.py();
        let (metric_name, metric) = metric_named(py, metric)?;
        let wrap = wrap.map(size_of_world).transpose()?;
        let whose = |row| (AgentId(row as u32), None);
        if let Some(graph) = graph {
            let graph = graph_of(graph)?;
            if metric != Metric::Chebyshev || wrap.is_some() {
                let message = "on a graph the distance is the number of hops; leave out metric \
                               and wrap";
                return Err(plain(py, "OptionError", message.into()));
            }
            let nodes = nodes_of(positions, graph.nodes(), whose)?;
            return Ok(("hops", Self::Graph(graph, nodes)));
        }
        let start = match arrays::positions(positions, whose)? {
            Positions::Grid(tiles) => Self::Grid(grid(py, metric, wrap)?, tiles),
            Positions::Plane(places) => Self::Plane(plane(py, metric, wrap)?, places),
            Positions::Graph(_) => unreachable!("{OTHER_KIND}"),
        };
        Ok((metric_name, start))
    }

    pub fn kind(&self) -> Kind {
        match self {
            Self::Grid(..) => Kind::Grid,
            Self::Plane(..) => Kind::Plane,
            Self::Graph(graph, _) => Kind::Graph(graph.nodes()),
        }
    }

    pub fn agents(&self) -> usize {
        match self {
            Self::Grid(_, tiles) => tiles.len(),
            Self::Plane(_, places) => places.len(),
            Self::Graph(_, nodes) => nodes.len(),
        }
    }
}
