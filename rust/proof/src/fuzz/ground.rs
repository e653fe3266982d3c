//! Where the agents of an input stand: a grid, a plane or a graph, with places and lengths drawn
//! from the bytes, usable or not, and a distance of its own where the core's is not trusted.

use headway_core::{Graph, Grid, Metric, Plane, Space};

use super::draw::Draw;

/// More would only make an input slower.
const NODES_MAX: u8 = 12;

/// A space with what is known about it besides.
pub(super) trait Ground: Sized {
    /// What the core is given.
    type Space: Space;

    /// One with borders joined or not; none where the core rightly refuses to make it.
    fn draw(draw: &mut Draw) -> Option<Self>;

    fn space(&self) -> Self::Space;

    /// Any place, usable or not.
    fn place(&self, draw: &mut Draw) -> <Self::Space as Space>::Position;

    /// Whether somebody can stand there, written out once more.
    fn fits(&self, place: <Self::Space as Space>::Position) -> bool;

    /// A place that mostly can be reached from there with so much speed.
    fn near(
        &self,
        draw: &mut Draw,
        from: <Self::Space as Space>::Position,
        speed: f64,
    ) -> <Self::Space as Space>::Position;

    /// A sight, reach or speed, usable or not.
    fn length(&self, draw: &mut Draw) -> f64;

    /// Whether two usable places are at most so far apart, written out once more.
    fn within(
        &self,
        p: <Self::Space as Space>::Position,
        q: <Self::Space as Space>::Position,
        bound: f64,
    ) -> bool;
}

fn metric(draw: &mut Draw) -> Metric {
    draw.one_of(&[Metric::Chebyshev, Metric::Manhattan, Metric::Euclidean])
}

fn whole_length(draw: &mut Draw) -> f64 {
    match draw.below(32) {
        n @ 0..=29 => f64::from(n % 5),
        30 => draw.one_of(&[1_073_741_824.0, 1000.0, 65_536.0]),
        _ => draw.wild_real(),
    }
}

/// Tiles.
pub(super) struct Tiles {
    metric: Metric,
    wrap: Option<[i32; 2]>,
}

impl Tiles {
    fn coordinate(draw: &mut Draw) -> i32 {
        const LIMIT: i32 = Grid::LIMIT;
        const WILD: [i32; 9] =
            [0, i32::MIN, -LIMIT - 1, -LIMIT, 1 - LIMIT, LIMIT - 1, LIMIT, LIMIT + 1, i32::MAX];
        match draw.below(32) {
            n @ 0..=27 => i32::from(n) - 14,
            28 => draw.any(),
            29 => i32::from(draw.any::<i16>()),
            _ => draw.one_of(&WILD),
        }
    }
}

impl Ground for Tiles {
    type Space = Grid;

    fn draw(draw: &mut Draw) -> Option<Self> {
        let metric = metric(draw);
        let wrap = match draw.below(4) {
            0 | 1 => None,
            2 => Some([0, 0].map(|_| 1 + i32::from(draw.below(40)))),
            _ => Some([0, 0].map(|_| Self::coordinate(draw))),
        };
        let fits = wrap.is_none_or(|w| w.iter().all(|s| (1..=Grid::LIMIT).contains(s)));
        assert_eq!(Grid::new(metric, wrap).is_some(), fits, "a grid of {wrap:?}");
        fits.then_some(Self { metric, wrap })
    }

    fn space(&self) -> Grid {
        Grid::new(self.metric, self.wrap).expect("looked at when it was drawn")
    }

    fn place(&self, draw: &mut Draw) -> [i32; 2] {
        let any = [0, 0].map(|_| Self::coordinate(draw));
        match self.wrap {
            Some(w) if !draw.rarely(8) => [any[0].rem_euclid(w[0]), any[1].rem_euclid(w[1])],
            _ => any,
        }
    }

    fn fits(&self, place: [i32; 2]) -> bool {
        let range = |axis: usize| match self.wrap {
            Some(size) => 0..=size[axis] - 1,
            None => -Grid::LIMIT..=Grid::LIMIT,
        };
        [0, 1].iter().all(|&axis| range(axis).contains(&place[axis]))
    }

    fn near(&self, draw: &mut Draw, from: [i32; 2], speed: f64) -> [i32; 2] {
        let most = speed.clamp(0.0, 1e9) as i32;
        let far = [0, 0].map(|_| match draw.below(8) {
            0..=4 => 0,
            5 => most,
            6 => -most,
            _ => i32::from(draw.below(7)) - 3,
        });
        let to = [0, 1].map(|axis| from[axis].saturating_add(far[axis]));
        self.wrap.map_or(to, |w| [to[0].rem_euclid(w[0]), to[1].rem_euclid(w[1])])
    }

    fn length(&self, draw: &mut Draw) -> f64 {
        whole_length(draw)
    }

    fn within(&self, p: [i32; 2], q: [i32; 2], bound: f64) -> bool {
        let gap = |axis: usize| {
            let direct = (i128::from(p[axis]) - i128::from(q[axis])).abs();
            self.wrap.map_or(direct, |w| direct.min(i128::from(w[axis]) - direct))
        };
        let (dx, dy) = (gap(0), gap(1));
        // Sums of whole numbers, so whole, and the largest have 94 bits.
        let bound = bound as i128;
        match self.metric {
            Metric::Chebyshev => dx.max(dy) <= bound,
            Metric::Manhattan => dx + dy <= bound,
            Metric::Euclidean => {
                bound >= 0 && dx * dx + dy * dy <= bound.min(1 << 40) * bound.min(1 << 40)
            }
        }
    }
}

/// Real coordinates.
pub(super) struct Field {
    metric: Metric,
    wrap: Option<[f64; 2]>,
    /// What lengths and mostly places are counted in: rounding shows in the very small.
    unit: f64,
}

impl Field {
    /// Sixteenths are exact, so that ties are met.
    fn coordinate(draw: &mut Draw, unit: f64) -> f64 {
        let units = match draw.below(32) {
            n @ 0..=27 => f64::from(n) - 14.0,
            28 => f64::from(draw.any::<i32>()) / 16.0,
            29 => f64::from(draw.any::<i16>()) / 16.0,
            _ => return draw.wild_real(),
        };
        units * unit
    }
}

impl Ground for Field {
    type Space = Plane;

    fn draw(draw: &mut Draw) -> Option<Self> {
        let metric = metric(draw);
        let unit = match draw.below(4) {
            3 => draw.one_of(&[1e-3, 1e-9, 1e-155, 1e-165, 1e-320, 1e6]),
            _ => 1.0,
        };
        let wrap = match draw.below(4) {
            0 | 1 => None,
            2 => Some([0, 0].map(|_| (1.0 + f64::from(draw.below(250)) / 4.0) * unit)),
            _ => Some([0, 0].map(|_| Self::coordinate(draw, unit))),
        };
        let fits = wrap.is_none_or(|w| w.iter().all(|&s| s > 0.0 && s <= Plane::LIMIT));
        assert_eq!(Plane::new(metric, wrap).is_some(), fits, "a plane of {wrap:?}");
        fits.then_some(Self { metric, wrap, unit })
    }

    fn space(&self) -> Plane {
        Plane::new(self.metric, self.wrap).expect("looked at when it was drawn")
    }

    fn place(&self, draw: &mut Draw) -> [f64; 2] {
        let any = [0, 0].map(|_| Self::coordinate(draw, self.unit));
        match self.wrap {
            Some(w) if !draw.rarely(8) => [any[0].rem_euclid(w[0]), any[1].rem_euclid(w[1])],
            _ => any,
        }
    }

    fn fits(&self, place: [f64; 2]) -> bool {
        let one = |axis: usize| match self.wrap {
            Some(size) => (0.0..size[axis]).contains(&place[axis]),
            None => (-Plane::LIMIT..=Plane::LIMIT).contains(&place[axis]),
        };
        one(0) && one(1)
    }

    fn near(&self, draw: &mut Draw, from: [f64; 2], speed: f64) -> [f64; 2] {
        let far = [0, 0].map(|_| match draw.below(8) {
            0..=3 => 0.0,
            4 => speed,
            5 => -speed,
            6 => speed * (f64::from(draw.any::<u8>()) / 128.0 - 1.0),
            _ => (f64::from(draw.below(7)) / 2.0 - 1.5) * self.unit,
        });
        let to = [from[0] + far[0], from[1] + far[1]];
        self.wrap.map_or(to, |w| [to[0].rem_euclid(w[0]), to[1].rem_euclid(w[1])])
    }

    fn length(&self, draw: &mut Draw) -> f64 {
        let units = match draw.below(32) {
            n @ 0..=15 => f64::from(n % 5),
            n @ 16..=29 => f64::from(n - 16) / 4.0,
            30 => f64::from(draw.any::<u16>()) / 256.0,
            _ => return draw.wild_real(),
        };
        units * self.unit
    }

    /// Rounding is part of what the core promises here, so its own distance is taken.
    fn within(&self, p: [f64; 2], q: [f64; 2], bound: f64) -> bool {
        self.space().within(p, q, bound)
    }
}

/// Nodes of a graph.
pub(super) struct Net {
    graph: Graph,
    hops: Vec<Vec<f64>>,
}

impl Ground for Net {
    type Space = Graph;

    fn draw(draw: &mut Draw) -> Option<Self> {
        let nodes = usize::from(draw.below(NODES_MAX + 1));
        let mut hops = vec![vec![f64::INFINITY; nodes]; nodes];
        let (mut indptr, mut indices, mut linked) = (vec![0], Vec::new(), Vec::new());
        for node in 0..nodes {
            for _ in 0..draw.below(3) {
                let end = usize::from(draw.below(nodes as u8));
                indices.push(end as u32);
                linked.push((node, end));
            }
            indptr.push(indices.len());
        }
        for (a, b) in linked {
            (hops[a][b], hops[b][a]) = (1.0, 1.0);
        }
        for (node, row) in hops.iter_mut().enumerate() {
            row[node] = 0.0;
        }
        for by in 0..nodes {
            for a in 0..nodes {
                for b in 0..nodes {
                    hops[a][b] = hops[a][b].min(hops[a][by] + hops[by][b]);
                }
            }
        }
        let fault = if draw.rarely(8) { draw.below(4) } else { 0 };
        match fault {
            1 => indptr[0] = usize::from(draw.below(3)),
            2 => indptr[nodes] = draw.any(),
            3 => indices.push(draw.any()),
            _ => {}
        }
        let sound = indptr[0] == 0
            && indptr.is_sorted()
            && indptr[nodes] == indices.len()
            && indices.iter().all(|end| (*end as usize) < nodes);
        let graph = Graph::new(&indptr, &indices);
        assert_eq!(graph.is_ok(), sound, "a graph of {indptr:?} {indices:?}");
        // A list of links that is sound by chance is not the one the hops were counted on.
        graph.ok().filter(|_| fault == 0).map(|graph| Self { graph, hops })
    }

    fn space(&self) -> Graph {
        self.graph.clone()
    }

    fn place(&self, draw: &mut Draw) -> u32 {
        if draw.rarely(16) {
            return draw.one_of(&[self.graph.nodes(), u32::MAX, u32::MAX - 1, 1 << 31]);
        }
        u32::from(draw.below(NODES_MAX)) % self.graph.nodes().max(1)
    }

    fn fits(&self, place: u32) -> bool {
        (place as usize) < self.hops.len()
    }

    fn near(&self, draw: &mut Draw, from: u32, _speed: f64) -> u32 {
        let around = self.graph.neighbours(from);
        match draw.below(8) {
            0..=3 => from,
            n @ 4..=6 if !around.is_empty() => around[usize::from(n) % around.len()],
            _ => self.place(draw),
        }
    }

    fn length(&self, draw: &mut Draw) -> f64 {
        whole_length(draw)
    }

    fn within(&self, p: u32, q: u32, bound: f64) -> bool {
        self.hops[p as usize][q as usize] <= bound
    }
}
