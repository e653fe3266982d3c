//! Places of a small world and the distances between them, in arithmetic of its own: the core's
//! metrics are among what is checked.

use std::fmt;

use headway_core::{Graph, Grid, Metric, Plane, Space};

/// A tile, by its number: row by row.
pub type Cell = u8;

/// What the tiles are to the scheduler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground {
    /// Tiles of a grid.
    Grid(Metric),
    /// Points of a plane with whole coordinates.
    Plane(Metric),
    /// Nodes of a graph, linked with their four neighbours.
    Graph,
}

/// A rectangle of tiles; a line where the height is 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Area {
    /// What the tiles are to the scheduler.
    pub ground: Ground,
    /// Tiles in a row.
    pub width: u8,
    /// Number of rows.
    pub height: u8,
    /// Whether the borders are joined.
    pub wrap: bool,
}

impl Area {
    /// A line of tiles.
    #[must_use]
    pub fn line(width: u8) -> Self {
        Self { ground: Ground::Grid(Metric::Chebyshev), width, height: 1, wrap: false }
    }

    /// A rectangle of tiles.
    #[must_use]
    pub fn grid(metric: Metric, width: u8, height: u8) -> Self {
        Self { ground: Ground::Grid(metric), width, height, wrap: false }
    }

    /// The same with its borders joined.
    #[must_use]
    pub fn wrapped(self) -> Self {
        Self { wrap: true, ..self }
    }

    /// The same as a plane.
    #[must_use]
    pub fn as_plane(self) -> Self {
        match self.ground {
            Ground::Grid(metric) => Self { ground: Ground::Plane(metric), ..self },
            Ground::Plane(_) | Ground::Graph => self,
        }
    }

    /// The same as a graph.
    #[must_use]
    pub fn as_graph(self) -> Self {
        Self { ground: Ground::Graph, ..self }
    }

    /// Number of tiles.
    #[must_use]
    pub fn cells(self) -> Cell {
        self.width * self.height
    }

    /// Column and row.
    #[must_use]
    pub fn place(self, cell: Cell) -> [i32; 2] {
        [i32::from(cell % self.width), i32::from(cell / self.width)]
    }

    fn distance(self, p: Cell, q: Cell) -> f64 {
        let ([px, py], [qx, qy]) = (self.place(p), self.place(q));
        let gap = |x: i32, y: i32, size: u8| {
            let direct = x.abs_diff(y);
            let around = if self.wrap { u32::from(size) - direct } else { direct };
            f64::from(direct.min(around))
        };
        let (dx, dy) = (gap(px, qx, self.width), gap(py, qy, self.height));
        match self.ground {
            Ground::Grid(Metric::Chebyshev) | Ground::Plane(Metric::Chebyshev) => dx.max(dy),
            Ground::Grid(Metric::Euclidean) | Ground::Plane(Metric::Euclidean) => dx.hypot(dy),
            Ground::Grid(Metric::Manhattan) | Ground::Plane(Metric::Manhattan) | Ground::Graph => {
                dx + dy
            }
        }
    }
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { width, height, .. } = self;
        if *height == 1 {
            write!(f, "a line of {width} tiles")?;
        } else {
            write!(f, "{width} x {height} tiles")?;
        }
        f.write_str(if self.wrap { ", borders joined" } else { "" })?;
        match self.ground {
            Ground::Grid(_) if *height == 1 => Ok(()),
            Ground::Grid(metric) => write!(f, ", {metric:?}"),
            Ground::Plane(metric) => write!(f, ", as a plane, {metric:?}"),
            Ground::Graph => f.write_str(", as a graph"),
        }
    }
}

/// The distances of an area, computed once.
#[derive(Clone, Debug)]
pub struct Map {
    /// Of which area.
    pub area: Area,
    distances: Vec<f64>,
}

impl Map {
    /// The map of an area.
    #[must_use]
    pub fn new(area: Area) -> Self {
        let cells = area.cells();
        let distances = (0..cells).flat_map(|p| (0..cells).map(move |q| area.distance(p, q)));
        Self { area, distances: distances.collect() }
    }

    /// The distance of two tiles.
    #[must_use]
    pub fn distance(&self, p: Cell, q: Cell) -> f64 {
        self.distances[usize::from(p) * usize::from(self.area.cells()) + usize::from(q)]
    }

    /// The tiles at most so far away.
    pub fn within(&self, p: Cell, radius: f64) -> impl Iterator<Item = Cell> {
        (0..self.area.cells()).filter(move |q| self.distance(p, *q) <= radius)
    }

    /// The ways to lay the area onto itself, as the new tile of each tile. Under all of them
    /// distances stay what they are.
    #[must_use]
    pub fn symmetries(&self) -> Vec<Vec<Cell>> {
        let Area { width: w, height: h, wrap, .. } = self.area;
        let (right, down) = if wrap { (w, h) } else { (1, 1) };
        let mut found = Vec::new();
        for code in 0..8 * u32::from(right) * u32::from(down) {
            let (flip_x, flip_y, turn) = (code & 1 > 0, code & 2 > 0, code & 4 > 0);
            let (dx, dy) = (code / 8 % u32::from(right), code / 8 / u32::from(right));
            if turn && w != h {
                continue;
            }
            let image = |cell: Cell| {
                let (x, y) = (cell % w, cell / w);
                let (x, y) = if turn { (y, x) } else { (x, y) };
                let x = (if flip_x { w - 1 - x } else { x } + dx as u8) % w;
                let y = (if flip_y { h - 1 - y } else { y } + dy as u8) % h;
                y * w + x
            };
            found.push((0..self.area.cells()).map(image).collect::<Vec<_>>());
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// A kind of space that an area can be told to the scheduler as.
pub trait Home: Space {
    /// The whole of it.
    fn of(area: Area) -> Self;

    /// One tile of it.
    fn position(area: Area, cell: Cell) -> Self::Position;
}

impl Home for Grid {
    fn of(area: Area) -> Self {
        let Ground::Grid(metric) = area.ground else { panic!("the area is not a grid") };
        let size = [i32::from(area.width), i32::from(area.height)];
        Self::new(metric, area.wrap.then_some(size)).expect("sizes are positive")
    }

    fn position(area: Area, cell: Cell) -> [i32; 2] {
        area.place(cell)
    }
}

impl Home for Plane {
    fn of(area: Area) -> Self {
        let Ground::Plane(metric) = area.ground else { panic!("the area is not a plane") };
        let size = [f64::from(area.width), f64::from(area.height)];
        Self::new(metric, area.wrap.then_some(size)).expect("sizes are positive")
    }

    fn position(area: Area, cell: Cell) -> [f64; 2] {
        area.place(cell).map(f64::from)
    }
}

impl Home for Graph {
    fn of(area: Area) -> Self {
        let beside = Area { ground: Ground::Grid(Metric::Manhattan), ..area };
        let map = Map::new(beside);
        let (mut starts, mut ends) = (vec![0], Vec::new());
        for cell in 0..area.cells() {
            ends.extend(map.within(cell, 1.0).filter(|other| *other != cell).map(u32::from));
            starts.push(ends.len());
        }
        Self::new(&starts, &ends).expect("links lead to tiles")
    }

    fn position(_: Area, cell: Cell) -> u32 {
        u32::from(cell)
    }
}
