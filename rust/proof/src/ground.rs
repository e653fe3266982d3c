//! Where a random world lies: places, how far they are apart, and which are near. Distances are
//! plain real arithmetic or a table of hops, independent of the core's; what an agent perceives,
//! where it goes and what the slow twin decides all go by them.

use headway_core::{Graph, Grid, Metric, Plane, Space};

use crate::random::Random;

/// Coordinates; on a grid whole ones, on a graph the number of the node and 0.
pub type Place = [f64; 2];

/// All of them.
pub const METRICS: [Metric; 3] = [Metric::Chebyshev, Metric::Manhattan, Metric::Euclidean];

/// Distance in plain real arithmetic; `wrap` is the size where borders are joined.
pub fn distance(metric: Metric, wrap: Option<[f64; 2]>, p: Place, q: Place) -> f64 {
    let gap = |i: usize| {
        let direct = (p[i] - q[i]).abs();
        wrap.map_or(direct, |w| direct.min(w[i] - direct))
    };
    match metric {
        Metric::Chebyshev => gap(0).max(gap(1)),
        Metric::Manhattan => gap(0) + gap(1),
        Metric::Euclidean => {
            let (dx, dy) = (gap(0), gap(1));
            // Of whole numbers so small the squares are exact; `hypot` is exact farther, and slow.
            let near = dx.max(dy) < 6e7;
            if near { (dx * dx + dy * dy).sqrt() } else { dx.hypot(dy) }
        }
    }
}

/// Two axes; nobody goes below 0 or to `size` and beyond.
#[derive(Clone, Copy, Debug)]
pub struct Axes {
    /// How gaps make a distance.
    pub metric: Metric,
    /// The end of each axis.
    pub size: [f64; 2],
    /// Whether the borders are joined.
    pub wrapped: bool,
}

impl Axes {
    fn distance(&self, p: Place, q: Place) -> f64 {
        distance(self.metric, self.wrap(), p, q)
    }

    /// The size where borders are joined.
    pub fn wrap(&self) -> Option<[f64; 2]> {
        self.wrapped.then_some(self.size)
    }

    fn shifted(&self, p: Place, by: Place) -> Option<Place> {
        let to = [0, 1].map(|i| {
            let x = p[i] + by[i];
            if !self.wrapped {
                return x;
            }
            // Of a tiny negative number the remainder rounds up to the size.
            Some(x.rem_euclid(self.size[i])).filter(|x| *x < self.size[i]).unwrap_or(0.0)
        });
        (0..2).all(|i| (0.0..self.size[i]).contains(&to[i])).then_some(to)
    }
}

/// Nodes and the hops between all of them.
#[derive(Clone, Debug)]
pub struct Nodes {
    /// As the core is given it.
    pub graph: Graph,
    /// Infinite where no path leads.
    pub hops: Vec<Vec<f64>>,
}

impl Nodes {
    /// A path, a ring, a tree, a star, or links drawn at random, which may leave parts unconnected.
    pub fn draw(random: &mut Random, nodes: usize) -> Self {
        let kind = random.below(8);
        let mut links = Vec::new();
        for node in 1..nodes {
            match kind {
                0..=2 => links.push((node, node - 1)),
                3 => links.push((node, random.below(node as u64) as usize)),
                4 => links.push((node, node - 1 - random.below(node.min(3) as u64) as usize)),
                5 => links.push((node, 0)),
                _ => {
                    for _ in 0..random.below(3) {
                        links.push((node, random.below(nodes as u64) as usize));
                    }
                }
            }
        }
        if kind == 2 {
            links.push((0, nodes - 1));
        }
        // Given one way, the other, or both.
        let mut rows = vec![Vec::new(); nodes];
        for &(a, b) in &links {
            let ways = random.below(3);
            if ways != 0 {
                rows[a].push(b as u32);
            }
            if ways != 1 {
                rows[b].push(a as u32);
            }
        }
        let mut indptr = vec![0];
        indptr.extend(rows.iter().scan(0, |sum, row| {
            *sum += row.len();
            Some(*sum)
        }));
        let graph = Graph::new(&indptr, &rows.concat()).expect("rows and links fit");
        Self { graph, hops: hops(nodes, &links) }
    }
}

/// By way of every node in turn, whichever is shorter.
fn hops(nodes: usize, links: &[(usize, usize)]) -> Vec<Vec<f64>> {
    let mut hops = vec![vec![f64::INFINITY; nodes]; nodes];
    for (i, row) in hops.iter_mut().enumerate() {
        row[i] = 0.0;
    }
    for &(a, b) in links.iter().filter(|(a, b)| a != b) {
        (hops[a][b], hops[b][a]) = (1.0, 1.0);
    }
    for by in 0..nodes {
        let onward = hops[by].clone();
        for row in &mut hops {
            let to_there = row[by];
            for (far, more) in row.iter_mut().zip(&onward) {
                *far = far.min(to_there + more);
            }
        }
    }
    hops
}

/// What the places of a world are.
#[derive(Clone, Debug)]
pub enum Ground {
    /// Whole coordinates.
    Grid(Axes),
    /// Real coordinates.
    Plane(Axes),
    /// Numbers of nodes.
    Graph(Nodes),
}

impl Ground {
    /// How far two places are apart.
    pub fn distance(&self, p: Place, q: Place) -> f64 {
        match self {
            Self::Grid(axes) | Self::Plane(axes) => axes.distance(p, q),
            Self::Graph(nodes) => nodes.hops[p[0] as usize][q[0] as usize],
        }
    }

    /// Any place.
    pub fn anywhere(&self, random: &mut Random) -> Place {
        match self {
            Self::Grid(axes) => axes.size.map(|size| random.below(size as u64) as f64),
            Self::Plane(axes) => axes.size.map(|size| random.unit() * size),
            Self::Graph(nodes) => [random.below(nodes.hops.len() as u64) as f64, 0.0],
        }
    }

    /// Some place at most `radius` from `p`.
    pub fn near(&self, p: Place, radius: f64, random: &mut Random) -> Place {
        match self {
            Self::Grid(axes) => {
                let r = radius as i64;
                let tries =
                    (0..8).map(|_| axes.shifted(p, [0, 1].map(|_| random.between(-r, r) as f64)));
                first_within(axes, p, radius, tries)
            }
            Self::Plane(axes) => {
                let tries = (0..8).map(|_| {
                    let toward = [0, 1].map(|_| random.unit() * 2.0 - 1.0);
                    let length = distance(axes.metric, None, [0.0; 2], toward);
                    // Half of all go as far as may be: there, what is too loose is found out.
                    let part = if random.chance(2) { 1.0 - 1e-12 } else { random.unit() };
                    axes.shifted(p, toward.map(|x| x / length * radius * part))
                });
                first_within(axes, p, radius, tries)
            }
            Self::Graph(nodes) => {
                let hops = &nodes.hops[p[0] as usize];
                let near: Vec<_> = (0..hops.len()).filter(|q| hops[*q] <= radius).collect();
                let chosen = near.get(random.below(near.len().max(1) as u64) as usize);
                chosen.map_or(p, |node| [*node as f64, 0.0])
            }
        }
    }

    /// Some place to write at, at most `radius` from `p`. On a plane most of them lie on a lattice,
    /// so that others write at the same place.
    pub fn spot_near(&self, p: Place, radius: f64, random: &mut Random) -> Place {
        let spot = self.near(p, radius, random);
        if let Self::Plane(axes) = self {
            let on_lattice = spot.map(|x| (x * 2.0).round() / 2.0);
            if axes.shifted(on_lattice, [0.0; 2]) == Some(on_lattice)
                && axes.distance(p, on_lattice) <= radius
            {
                return on_lattice;
            }
        }
        spot
    }
}

fn first_within(
    axes: &Axes,
    p: Place,
    radius: f64,
    mut tries: impl Iterator<Item = Option<Place>>,
) -> Place {
    let found = tries.find(|q| q.is_some_and(|q| axes.distance(p, q) <= radius));
    found.flatten().unwrap_or(p)
}

/// The core's name for a ground and its places.
pub trait Home: Space {
    /// By how much of it a bound leans to the safe side.
    const LEAN: f64;

    /// The same space.
    fn of(ground: &Ground) -> Self;

    /// The same place.
    fn position(place: Place) -> Self::Position;

    /// A ground of this kind: on these axes if it has any, otherwise a small graph.
    fn draw(random: &mut Random, axes: Axes) -> Ground;

    /// From 0 to `most`, a whole number where places are whole.
    fn length(random: &mut Random, most: i64) -> f64 {
        random.between(0, most) as f64
    }
}

impl Home for Grid {
    const LEAN: f64 = 0.0;

    fn of(ground: &Ground) -> Self {
        let Ground::Grid(axes) = ground else { panic!("no grid: {ground:?}") };
        let wrap = axes.wrap().map(|w| w.map(|size| size as i32));
        Self::new(axes.metric, wrap).expect("a good size")
    }

    fn position(place: Place) -> [i32; 2] {
        place.map(|x| x as i32)
    }

    fn draw(_: &mut Random, axes: Axes) -> Ground {
        Ground::Grid(axes)
    }
}

impl Home for Plane {
    const LEAN: f64 = 1e-7;

    fn of(ground: &Ground) -> Self {
        let Ground::Plane(axes) = ground else { panic!("no plane: {ground:?}") };
        Self::new(axes.metric, axes.wrap()).expect("a good size")
    }

    fn position(place: Place) -> Place {
        place
    }

    fn draw(_: &mut Random, axes: Axes) -> Ground {
        Ground::Plane(axes)
    }

    fn length(random: &mut Random, most: i64) -> f64 {
        random.unit() * most as f64
    }
}

impl Home for Graph {
    const LEAN: f64 = 0.0;

    fn of(ground: &Ground) -> Self {
        let Ground::Graph(nodes) = ground else { panic!("no graph: {ground:?}") };
        nodes.graph.clone()
    }

    fn position([node, _]: Place) -> u32 {
        node as u32
    }

    fn draw(random: &mut Random, _: Axes) -> Ground {
        let nodes = random.between(1, 24) as usize;
        Ground::Graph(Nodes::draw(random, nodes))
    }
}
