//! A small seeded generator, random worlds, and the slow twin: the rules written out over all
//! pairs, with nothing stored but positions, clocks and who is running.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]

use headway_core::{AgentId, Footprint, Graph, Metric, NewAgent, Rule, Step, World};

/// `SplitMix64`: one integer makes every choice of a test.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    pub fn chance(&mut self, one_in: u64) -> bool {
        self.below(one_in) == 0
    }

    pub fn between(&mut self, lo: i64, hi: i64) -> i64 {
        lo + self.below((hi - lo + 1) as u64) as i64
    }

    pub fn unit(&mut self) -> f64 {
        self.below(1 << 53) as f64 / (1_u64 << 53) as f64
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i as u64 + 1) as usize);
        }
    }
}

/// All tuples of numbers, each below the limit given.
pub fn product(limits: [u32; 6]) -> impl Iterator<Item = (u32, u32, u32, u32, u32, u32)> {
    (0..limits.iter().product()).map(move |mut code| {
        let [a, b, c, d, e, f] = limits.map(|limit| {
            let digit = code % limit;
            code /= limit;
            digit
        });
        (a, b, c, d, e, f)
    })
}

/// Sees four tiles far, walks one.
pub const VILLAGER: Footprint = Footprint { sight: 4.0, reach: 1.0, speed: 1.0 };

pub const fn villager_at(x: i32, y: i32) -> NewAgent<[i32; 2]> {
    NewAgent { position: [x, y], footprint: VILLAGER, world: 0 }
}

pub const METRICS: [Metric; 3] = [Metric::Chebyshev, Metric::Manhattan, Metric::Euclidean];

/// Distance in plain real arithmetic, independent of the crate's.
pub fn distance(metric: Metric, wrap: Option<[f64; 2]>, p: [f64; 2], q: [f64; 2]) -> f64 {
    let gap = |i: usize| {
        let direct = (p[i] - q[i]).abs();
        wrap.map_or(direct, |w| direct.min(w[i] - direct))
    };
    match metric {
        Metric::Chebyshev => gap(0).max(gap(1)),
        Metric::Manhattan => gap(0) + gap(1),
        Metric::Euclidean => gap(0).hypot(gap(1)),
    }
}

/// A small graph, in compressed rows, and the hops between all its nodes: a path, a ring, a tree, a
/// star, or links drawn at random, which may leave parts unconnected.
pub fn random_graph(random: &mut Random) -> (Graph, Vec<Vec<f64>>) {
    let nodes = random.between(1, 24) as usize;
    let kind = random.below(6);
    let mut links = Vec::new();
    for node in 1..nodes {
        match kind {
            0 | 1 => links.push((node, node - 1)),
            2 => links.push((node, random.below(node as u64) as usize)),
            3 => links.push((node, 0)),
            _ => {
                for _ in 0..random.below(3) {
                    links.push((node, random.below(nodes as u64) as usize));
                }
            }
        }
    }
    if kind == 1 {
        links.push((0, nodes - 1));
    }
    let mut hops = vec![vec![f64::INFINITY; nodes]; nodes];
    for (i, row) in hops.iter_mut().enumerate() {
        row[i] = 0.0;
    }
    for &(a, b) in links.iter().filter(|(a, b)| a != b) {
        (hops[a][b], hops[b][a]) = (1.0, 1.0);
    }
    for by in 0..nodes {
        for a in 0..nodes {
            for b in 0..nodes {
                hops[a][b] = hops[a][b].min(hops[a][by] + hops[by][b]);
            }
        }
    }
    // Given one way, the other, or both.
    let mut rows = vec![Vec::new(); nodes];
    for (a, b) in links {
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
    (Graph::new(&indptr, &rows.concat()).unwrap(), hops)
}

#[derive(Clone, Debug)]
pub struct TwinAgent {
    pub position: [f64; 2],
    pub footprint: Footprint,
    pub world: World,
    pub clock: Step,
    pub running: bool,
    pub present: bool,
}

/// The slow twin.
pub struct Twin {
    /// By how much a bound leans to the safe side: nothing on a grid, `1e-7` of it on a plane.
    pub lean: f64,
    pub rule: Rule,
    pub metric: Metric,
    pub wrap: Option<[f64; 2]>,
    /// On a graph: the distances of all nodes, which are the first coordinates.
    pub hops: Option<Vec<Vec<f64>>>,
    pub agents: Vec<TwinAgent>,
    /// The compatibility rule uses the largest of the first agents' footprints for all.
    pub widest: Footprint,
}

impl Twin {
    pub fn distance(&self, p: [f64; 2], q: [f64; 2]) -> f64 {
        match &self.hops {
            Some(hops) => hops[p[0] as usize][q[0] as usize],
            None => distance(self.metric, self.wrap, p, q),
        }
    }

    fn within(&self, a: &TwinAgent, b: &TwinAgent, bound: f64) -> bool {
        self.distance(a.position, b.position) <= bound + bound * self.lean
    }

    pub fn blocks(&self, a: usize, b: usize) -> bool {
        let (a, b) = (&self.agents[a], &self.agents[b]);
        if !b.present || a.world != b.world || b.clock >= a.clock {
            return false;
        }
        let lag = f64::from(a.clock - b.clock);
        let bound = match self.rule {
            Rule::Conservative => {
                a.footprint.sight.max(a.footprint.speed)
                    + b.footprint.reach
                    + (lag - 1.0) * b.footprint.speed
            }
            Rule::Compatibility => {
                let all = &self.widest;
                all.sight.max(all.reach) + all.reach + lag * all.speed
            }
        };
        self.within(a, b, bound)
    }

    pub fn blockers(&self, a: usize) -> Vec<AgentId> {
        (0..self.agents.len()).filter(|&b| self.blocks(a, b)).map(|b| AgentId(b as u32)).collect()
    }

    /// By how much a child at this distance is too near to some reader that its parent, executing
    /// its step, does not block; 0 or less where it may join there. Tries every lead.
    pub fn child_too_near(&self, parent: usize, child: &Footprint, away: f64) -> f64 {
        let own = self.agents[parent].footprint;
        let excess = (1..200).map(|lead| {
            // A reader this many steps ahead of the parent, of sight 0, stands beyond this:
            let beyond = own.reach + f64::from(lead - 1) * own.speed;
            // It sees the child, and it meets what the child did in the steps between.
            let seen = f64::from(lead - 1) * child.speed;
            let met = if lead > 1 { child.reach + f64::from(lead - 2) * child.speed } else { 0.0 };
            seen.max(met) - (beyond - away)
        });
        excess.fold(f64::NEG_INFINITY, f64::max)
    }

    fn coupled(&self, a: usize, b: usize) -> bool {
        let (a, b) = (&self.agents[a], &self.agents[b]);
        let bound = self.widest.sight.max(self.widest.reach) + self.widest.reach;
        a.present
            && b.present
            && a.world == b.world
            && a.clock == b.clock
            && self.within(a, b, bound)
    }

    /// The cluster of an agent among all present agents of its step.
    pub fn cluster(&self, a: usize) -> Vec<usize> {
        if self.rule == Rule::Conservative {
            return vec![a];
        }
        let mut members = vec![a];
        let mut at = 0;
        while at < members.len() {
            for b in 0..self.agents.len() {
                if !members.contains(&b) && self.coupled(members[at], b) {
                    members.push(b);
                }
            }
            at += 1;
        }
        members.sort_unstable();
        members
    }

    /// Everybody who may start now, by id.
    pub fn ready(&self) -> Vec<AgentId> {
        (0..self.agents.len())
            .filter(|&a| {
                self.agents[a].present
                    && self
                        .cluster(a)
                        .iter()
                        .all(|&m| !self.agents[m].running && self.blockers(m).is_empty())
            })
            .map(|a| AgentId(a as u32))
            .collect()
    }
}
