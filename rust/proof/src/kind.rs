//! The kinds of random worlds: every rule on every ground with every mixture of footprints.

use std::fmt;

use headway_core::{Footprint, Metric, Rule};

use crate::ground::METRICS;
use crate::random::Random;

/// What the places are and how they are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroundKind {
    /// Whole coordinates; true where the borders are joined.
    Grid(Metric, bool),
    /// Real coordinates; true where the borders are joined.
    Plane(Metric, bool),
    /// Nodes and hops.
    Graph,
}

impl GroundKind {
    /// All of them.
    pub fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for kind in [Self::Grid, Self::Plane] {
            for metric in METRICS {
                all.extend([kind(metric, false), kind(metric, true)]);
            }
        }
        all.push(Self::Graph);
        all
    }

    /// From `lo` to `hi`: a whole number unless places are real, and then still once in a while.
    pub fn length(self, random: &mut Random, lo: i64, hi: i64) -> f64 {
        if matches!(self, Self::Plane(..)) && !random.chance(4) {
            lo as f64 + random.unit() * (hi - lo) as f64
        } else {
            random.between(lo, hi) as f64
        }
    }
}

impl fmt::Display for GroundKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (places, metric, wrapped) = match self {
            Self::Grid(metric, wrapped) => ("grid", metric, *wrapped),
            Self::Plane(metric, wrapped) => ("plane", metric, *wrapped),
            Self::Graph => return f.write_str("graph, hops"),
        };
        let metric = match metric {
            Metric::Chebyshev => "chebyshev",
            Metric::Manhattan => "manhattan",
            Metric::Euclidean => "euclidean",
        };
        write!(f, "{places}, {metric}{}", if wrapped { ", wrapped" } else { "" })
    }
}

/// How the footprints of the agents of a world are mixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Footprints {
    /// All have the same one, whose reach is its speed.
    OneForAll,
    /// Each has its own.
    PerAgent,
    /// They write farther than they move.
    LongReach,
    /// Some never move.
    SomeStand,
    /// They move farther than they see.
    ShortSight,
}

impl Footprints {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::OneForAll, Self::PerAgent, Self::LongReach, Self::SomeStand, Self::ShortSight];

    /// Those of so many agents.
    pub fn draw(self, ground: GroundKind, random: &mut Random, agents: usize) -> Vec<Footprint> {
        let alike = match self {
            Self::OneForAll => true,
            Self::LongReach | Self::ShortSight => random.chance(2),
            Self::PerAgent | Self::SomeStand => false,
        };
        let first = self.one(ground, random, 0);
        let each = |i| if alike { first } else { self.one(ground, random, i) };
        (0..agents).map(each).collect()
    }

    fn one(self, ground: GroundKind, random: &mut Random, number: usize) -> Footprint {
        let mut length = |lo, hi| ground.length(random, lo, hi);
        let (sight, more, speed) = match self {
            Self::OneForAll => {
                let speed = length(1, 2);
                (speed + length(0, 4), 0.0, speed)
            }
            Self::PerAgent => (length(0, 5), 0.0, length(0, 2)),
            Self::LongReach => (length(0, 4), length(1, 2), length(0, 2)),
            Self::SomeStand if number.is_multiple_of(2) => (length(0, 4), length(0, 2), 0.0),
            Self::SomeStand => (length(0, 4), length(0, 1), length(1, 2)),
            Self::ShortSight => {
                let speed = length(1, 3);
                (length(0, speed.ceil() as i64 - 1).min(speed * 0.9), length(0, 1), speed)
            }
        };
        let sight = if matches!(ground, GroundKind::Plane(..)) { sight } else { sight.floor() };
        Footprint { sight, reach: speed + more, speed }
    }
}

impl fmt::Display for Footprints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OneForAll => "one for all",
            Self::PerAgent => "each its own",
            Self::LongReach => "reach beyond speed",
            Self::SomeStand => "some never move",
            Self::ShortSight => "sight below speed",
        })
    }
}

/// What tells one kind of random world from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// The conservative rule has a versioned world, the compatibility rule one changed in place.
    pub rule: Rule,
    /// The places.
    pub ground: GroundKind,
    /// The agents.
    pub footprints: Footprints,
}

impl Kind {
    /// All of them.
    pub fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for ground in GroundKind::all() {
            for footprints in Footprints::ALL {
                for rule in [Rule::Conservative, Rule::Compatibility] {
                    all.push(Self { rule, ground, footprints });
                }
            }
        }
        all
    }

    /// The kind of world of a seed: as many seeds in a row as there are kinds have each once.
    pub fn of(seed: u64) -> Self {
        let all = Self::all();
        all[(seed % all.len() as u64) as usize]
    }
}
