//! Positions and the distance between them: integer tiles ([`Grid`]) or real coordinates
//! ([`Plane`]), each with an optional wrap-around. Graphs are in [`crate::Graph`].
//!
//! On a grid every comparison is exact: distances are whole numbers, and Euclidean ones are
//! compared as squares. On a plane a comparison leans to the safe side by [`Plane::SLACK`], so that
//! rounding can make somebody wait who need not, but never let somebody go who must not.

use core::fmt::{self, Debug};

use crate::index::Index;
use crate::quadtree::Quadtree;

/// How the gaps on the two axes make a distance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// The larger gap: a square of tiles around an agent. The default on grids.
    Chebyshev,
    /// The sum of the gaps: steps to the four neighbours.
    Manhattan,
    /// The straight line.
    Euclidean,
}

/// Why a position cannot be used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PositionFault {
    /// A coordinate is NaN or infinite.
    NotFinite,
    /// A coordinate is beyond the limit, in either direction.
    TooFar(f64),
    /// A coordinate lies outside `0 <= x < size` of a world whose borders are joined.
    OutsideWrap(f64),
    /// A number that no node of the graph has; it has this many.
    NoNode(u32),
}

impl fmt::Display for PositionFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFinite => f.write_str("the coordinates must be finite"),
            Self::TooFar(limit) => write!(f, "coordinates lie between -{limit} and {limit}"),
            Self::OutsideWrap(size) => write!(
                f,
                "the world wraps around at {size}, so the coordinate must be at least 0 and below \
                 {size}"
            ),
            Self::NoNode(nodes) => write!(f, "the graph has {nodes} nodes, numbered from 0"),
        }
    }
}

/// Positions with a distance.
pub trait Space: Clone + Debug {
    /// A place.
    type Position: Copy + Debug + PartialEq;

    /// Finds agents by place and clock.
    #[doc(hidden)]
    type Index: Index<Self>;

    /// Relative rounding error of a distance; 0 where distances are exact.
    const SLACK: f64;

    /// Tells why a position cannot be used, if it cannot.
    ///
    /// # Errors
    /// The first fault found.
    fn check(&self, p: Self::Position) -> Result<(), PositionFault>;

    /// The position as real numbers, for messages.
    fn real(p: Self::Position) -> [f64; 2];

    /// The distance of two positions.
    fn distance(&self, p: Self::Position, q: Self::Position) -> f64;

    /// Whether two positions are at most `bound` apart, in doubt yes.
    fn within(&self, p: Self::Position, q: Self::Position, bound: f64) -> bool;
}

/// A space on two axes, cut into square cells.
pub trait Cells: Space {
    /// The cell of side `1 << log2_cell` that holds `p`, counted from the origin.
    fn cell(p: Self::Position, log2_cell: i32) -> [i64; 2];

    /// How far something is away along one axis.
    type Gap: Copy;

    /// How far `p` is on an axis from the cells `lo..hi`, in units of `1 << log2_cell`; a little
    /// less where it is rounded.
    fn gap_to_cells(
        &self,
        p: Self::Position,
        axis: usize,
        lo: i64,
        hi: i64,
        log2_cell: i32,
    ) -> Self::Gap;

    /// Whether what is that far away on the two axes may be within `bound`.
    fn gaps_within(&self, gaps: [Self::Gap; 2], bound: f64) -> bool;
}

/// Integer tiles.
#[derive(Clone, Copy, Debug)]
pub struct Grid {
    metric: Metric,
    wrap: Option<[i32; 2]>,
}

impl Grid {
    /// Coordinates lie within `-LIMIT..=LIMIT`, so that squares of distances fit 64 bits.
    pub const LIMIT: i32 = 1 << 30;

    /// A grid; `wrap` gives its size where the borders are joined. `None` where a size is not
    /// within `1..=LIMIT`.
    #[must_use]
    pub fn new(metric: Metric, wrap: Option<[i32; 2]>) -> Option<Self> {
        let fits = wrap.is_none_or(|w| w.iter().all(|s| (1..=Self::LIMIT).contains(s)));
        fits.then_some(Self { metric, wrap })
    }

    fn gap(&self, axis: usize, x: i32, y: i32) -> u32 {
        let direct = x.abs_diff(y);
        match self.wrap {
            Some(size) => direct.min(size[axis].unsigned_abs().saturating_sub(direct)),
            None => direct,
        }
    }

    fn gap_to_interval(&self, axis: usize, x: i32, lo: i64, hi: i64) -> u32 {
        let x = i64::from(x);
        let direct = (lo - x).max(x - hi).max(0);
        let gap = match self.wrap {
            // Past the border on the one side and back in on the other.
            Some(size) => {
                let size = i64::from(size[axis]);
                direct.min((x + size - hi.min(size - 1)).max(0)).min((lo.max(0) + size - x).max(0))
            }
            None => direct,
        };
        gap as u32
    }

    fn both_within(&self, dx: u32, dy: u32, bound: f64) -> bool {
        match self.metric {
            Metric::Chebyshev => f64::from(dx.max(dy)) <= bound,
            Metric::Manhattan => f64::from(dx) + f64::from(dy) <= bound,
            Metric::Euclidean => {
                // Beyond 2^32 every pair is within.
                let (dx, dy, whole) = (u64::from(dx), u64::from(dy), bound as u64);
                let squares = dx * dx + dy * dy;
                bound >= 4_294_967_296.0
                    || bound >= 0.0
                        && if bound > whole as f64 {
                            // Only who searches a history asks with such a bound.
                            libm::sqrt(squares as f64) <= bound
                        } else {
                            squares <= whole * whole
                        }
            }
        }
    }
}

impl Space for Grid {
    type Position = [i32; 2];
    type Index = Quadtree<Self>;
    const SLACK: f64 = 0.0;

    fn check(&self, p: [i32; 2]) -> Result<(), PositionFault> {
        for (axis, &x) in p.iter().enumerate() {
            if !(-Self::LIMIT..=Self::LIMIT).contains(&x) {
                return Err(PositionFault::TooFar(f64::from(Self::LIMIT)));
            }
            if let Some(size) = self.wrap
                && !(0..size[axis]).contains(&x)
            {
                return Err(PositionFault::OutsideWrap(f64::from(size[axis])));
            }
        }
        Ok(())
    }

    fn real(p: [i32; 2]) -> [f64; 2] {
        p.map(f64::from)
    }

    fn distance(&self, p: [i32; 2], q: [i32; 2]) -> f64 {
        let (dx, dy) = (self.gap(0, p[0], q[0]), self.gap(1, p[1], q[1]));
        let distance = norm(self.metric, f64::from(dx), f64::from(dy));
        let (dx, dy, whole) = (u64::from(dx), u64::from(dy), distance as u64);
        if self.metric == Metric::Euclidean
            && libm::floor(distance) >= distance
            && whole * whole < dx * dx + dy * dy
        {
            // Far away, a root just above a whole number rounds to it; a bound of that number
            // would look reached although it is not.
            return distance.next_up();
        }
        distance
    }

    fn within(&self, p: [i32; 2], q: [i32; 2], bound: f64) -> bool {
        self.both_within(self.gap(0, p[0], q[0]), self.gap(1, p[1], q[1]), bound)
    }
}

impl Cells for Grid {
    fn cell(p: [i32; 2], log2_cell: i32) -> [i64; 2] {
        p.map(|x| i64::from(x) >> log2_cell)
    }

    type Gap = u32;

    fn gap_to_cells(&self, p: [i32; 2], axis: usize, lo: i64, hi: i64, log2_cell: i32) -> u32 {
        self.gap_to_interval(axis, p[axis], lo << log2_cell, (hi << log2_cell) - 1)
    }

    fn gaps_within(&self, [dx, dy]: [u32; 2], bound: f64) -> bool {
        self.both_within(dx, dy, bound)
    }
}

/// Real coordinates.
#[derive(Clone, Copy, Debug)]
pub struct Plane {
    metric: Metric,
    wrap: Option<[f64; 2]>,
}

impl Plane {
    /// Coordinates lie within `-LIMIT..=LIMIT`. Near it, and with wrap-around sizes near it,
    /// rounding is small against the slack only for bounds of at least about 1.
    pub const LIMIT: f64 = 1e8;

    /// A plane; `wrap` gives its size where the borders are joined. `None` where a size is not
    /// positive and at most `LIMIT`.
    #[must_use]
    pub fn new(metric: Metric, wrap: Option<[f64; 2]>) -> Option<Self> {
        let fits = wrap.is_none_or(|w| w.iter().all(|&s| s > 0.0 && s <= Self::LIMIT));
        fits.then_some(Self { metric, wrap })
    }

    fn gap(&self, axis: usize, x: f64, y: f64) -> f64 {
        let direct = (x - y).abs();
        self.wrap.map_or(direct, |size| direct.min((size[axis] - direct).max(0.0)))
    }

    fn gap_to_interval(&self, axis: usize, x: f64, lo: f64, hi: f64) -> f64 {
        let direct = (lo - x).max(x - hi).max(0.0);
        self.wrap.map_or(direct, |size| {
            let size = size[axis];
            direct.min((x + size - hi.min(size)).max(0.0)).min((lo.max(0.0) + size - x).max(0.0))
        })
    }

    fn leaning(bound: f64) -> f64 {
        bound + bound.abs() * Self::SLACK
    }
}

impl Space for Plane {
    type Position = [f64; 2];
    type Index = Quadtree<Self>;
    const SLACK: f64 = 1e-7;

    fn check(&self, p: [f64; 2]) -> Result<(), PositionFault> {
        for (axis, &x) in p.iter().enumerate() {
            if !x.is_finite() {
                return Err(PositionFault::NotFinite);
            }
            if x.abs() > Self::LIMIT {
                return Err(PositionFault::TooFar(Self::LIMIT));
            }
            if let Some(size) = self.wrap
                && !(0.0..size[axis]).contains(&x)
            {
                return Err(PositionFault::OutsideWrap(size[axis]));
            }
        }
        Ok(())
    }

    fn real(p: [f64; 2]) -> [f64; 2] {
        p
    }

    fn distance(&self, p: [f64; 2], q: [f64; 2]) -> f64 {
        norm(self.metric, self.gap(0, p[0], q[0]), self.gap(1, p[1], q[1]))
    }

    fn within(&self, p: [f64; 2], q: [f64; 2], bound: f64) -> bool {
        self.distance(p, q) <= Self::leaning(bound)
    }
}

impl Cells for Plane {
    fn cell(p: [f64; 2], log2_cell: i32) -> [i64; 2] {
        p.map(|x| {
            let cell = libm::floor(libm::ldexp(x, -log2_cell)) as i64;
            // The smallest negative numbers are rounded to 0 by the scaling.
            if x < 0.0 { cell.min(-1) } else { cell }
        })
    }

    type Gap = f64;

    fn gap_to_cells(&self, p: [f64; 2], axis: usize, lo: i64, hi: i64, log2_cell: i32) -> f64 {
        let [lo, hi] = [lo, hi].map(|cell| libm::ldexp(cell as f64, log2_cell));
        self.gap_to_interval(axis, p[axis], lo, hi)
    }

    fn gaps_within(&self, [dx, dy]: [f64; 2], bound: f64) -> bool {
        norm(self.metric, dx, dy) <= Self::leaning(bound)
    }
}

fn norm(metric: Metric, dx: f64, dy: f64) -> f64 {
    match metric {
        Metric::Chebyshev => dx.max(dy),
        Metric::Manhattan => dx + dy,
        Metric::Euclidean => libm::sqrt(dx * dx + dy * dy),
    }
}
