//! The small worlds that are searched. A new one is one more entry of a list; worlds of one name
//! that follow each other share a line of the table.

use headway_core::rule::spawning_bound;
use headway_core::{Footprint, Metric, Rule};

use super::map::Area;
use super::world::{Birth, Join, Leave, Moves, Reads, SmallWorld, Step};

/// How many worlds, and how large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// What the test suite can afford.
    Small,
    /// What takes some minutes.
    Full,
}

impl Size {
    fn of<T>(self, small: T, full: T) -> T {
        match self {
            Self::Small => small,
            Self::Full => full,
        }
    }

    fn seeds(self, full: u32) -> Moves {
        Moves::Seeds(self.of(1, full))
    }
}

/// Sees its neighbours, walks one tile.
const WALKER: Footprint = footprint(1, 1, 1);
/// Walks one tile and sees its own only, though it hears its neighbours.
const BLIND: Footprint = footprint(0, 1, 1);
/// Walks two tiles and sees its own only.
const RUNNER: Footprint = footprint(0, 2, 2);
/// Throws farther than it walks and sees.
const THROWER: Footprint = footprint(0, 2, 1);
/// Promises never to move, sees its neighbours and marks the tiles around.
const PILLAR: Footprint = footprint(1, 1, 0);
/// Promises never to move and to touch no tile but its own.
const STONE: Footprint = footprint(0, 0, 0);
/// The same, and sees far.
const WATCHER: Footprint = footprint(2, 0, 0);

const KINDS: [Footprint; 7] = [WALKER, BLIND, RUNNER, THROWER, PILLAR, STONE, WATCHER];

const fn footprint(sight: u8, reach: u8, speed: u8) -> Footprint {
    Footprint { sight: sight as f64, reach: reach as f64, speed: speed as f64 }
}

/// Some agents placed in every way, or in one of so many.
fn world(name: &'static str, area: Area, steps: Step, who: &[Footprint]) -> SmallWorld {
    SmallWorld { name, area, steps, footprints: who.to_vec(), ..SmallWorld::default() }
}

impl SmallWorld {
    fn every_path(self) -> Self {
        Self { moves: Moves::EveryPath, ..self }
    }

    fn moving(self, moves: Moves) -> Self {
        Self { moves, ..self }
    }

    fn one_in(self, stride: usize) -> Self {
        Self { stride, ..self }
    }

    fn reading_at_start(self) -> Self {
        Self { reads: Reads::AtStart, ..self }
    }

    fn in_batches(self) -> Self {
        Self { batches: true, ..self }
    }

    fn joining(self, footprint: Footprint, at: Option<Step>) -> Self {
        let joins = [self.joins.as_slice(), &[Join { footprint, at }]].concat();
        Self { joins, ..self }
    }

    fn leaving(self, name: usize, at: Step) -> Self {
        Self { leaves: [self.leaves.as_slice(), &[Leave { name, at }]].concat(), ..self }
    }

    /// The parent's step brings about a child, so far away.
    fn bearing(self, parent: usize, step: Step, footprint: Footprint, away: u8) -> Self {
        let birth = Birth { parent, step, footprint, away: f64::from(away) };
        Self { births: [self.births.as_slice(), &[birth]].concat(), ..self }
    }
}

/// The worlds of one size, versioned ones first.
#[must_use]
pub fn worlds(size: Size) -> Vec<SmallWorld> {
    let versioned = [paths(size), lines(size), squares(size), crowds(size), footprints(size)];
    let membership =
        [membership(size), newcomers(size, Rule::Conservative), births(size), children(size)];
    let in_place = [
        in_place_paths(size),
        in_place_lines(size),
        in_place_squares(size),
        in_place_crowds(size),
        footprints(size),
        self::membership(size),
        newcomers(size, Rule::Compatibility),
    ];
    let in_place = in_place.into_iter().flatten();
    let in_place = in_place.map(|world| SmallWorld {
        rule: Rule::Compatibility,
        reads: Reads::AnyTime,
        ..world
    });
    versioned.into_iter().chain(membership).flatten().chain(in_place).collect()
}

/// Few agents, each of which may walk in every way.
fn paths(size: Size) -> Vec<SmallWorld> {
    let line = |small, full| Area::line(size.of(small, full));
    let square = Area::grid(Metric::Chebyshev, 4, size.of(2, 4));
    vec![
        world("two walkers, every path", line(6, 8), size.of(2, 3), &[WALKER; 2])
            .every_path()
            .one_in(size.of(2, 1)),
        world("two unlike, every path", line(5, 8), size.of(2, 3), &[footprint(2, 1, 1), BLIND])
            .every_path(),
        world("two runners, every path", line(6, 9), 2, &[RUNNER; 2])
            .every_path()
            .one_in(size.of(6, 1)),
        world("two on a square, every path", square, 2, &[WALKER, BLIND])
            .every_path()
            .reading_at_start()
            .one_in(size.of(5, 1)),
        world("three blind, every path", line(4, 6), 2, &[BLIND; 3])
            .every_path()
            .reading_at_start()
            .one_in(size.of(9, 1)),
    ]
}

/// Three agents on a line or a ring.
fn lines(size: Size) -> Vec<SmallWorld> {
    let (line, seeds) = (Area::line(8), size.seeds(6));
    vec![
        world("three walkers", line, size.of(3, 5), &[WALKER; 3]).one_in(size.of(11, 1)),
        world("three walkers, finishing in batches", line, size.of(3, 4), &[WALKER; 3])
            .in_batches()
            .one_in(size.of(13, 1)),
        world("walker, runner, pillar", line, size.of(3, 5), &[WALKER, RUNNER, PILLAR])
            .one_in(size.of(11, 1)),
        world("watcher, thrower, stone", line, size.of(3, 5), &[WATCHER, THROWER, STONE])
            .one_in(size.of(11, 1)),
        world("three on a ring", line.wrapped(), size.of(3, 5), &[WALKER; 3]).one_in(size.of(3, 1)),
        world("three on a plane", line.as_plane(), size.of(3, 5), &[WALKER, THROWER, STONE])
            .one_in(size.of(11, 1)),
        world(
            "three on a ring of nodes",
            line.wrapped().as_graph(),
            size.of(3, 5),
            &[WALKER, THROWER, PILLAR],
        )
        .one_in(size.of(3, 1)),
    ]
    .into_iter()
    .map(|world| world.moving(seeds))
    .collect()
}

/// Three agents on a square.
fn squares(size: Size) -> Vec<SmallWorld> {
    let square = |metric| Area::grid(metric, 4, 4);
    let (steps, seeds, stride) = (size.of(3, 4), size.seeds(6), size.of(203, 2));
    let mesh = Area::grid(Metric::Manhattan, 3, 3).as_graph();
    let joined = square(Metric::Chebyshev).wrapped();
    vec![
        world("three on a mesh of nodes", mesh, steps, &[BLIND, PILLAR, WALKER])
            .one_in(size.of(29, 1)),
        world(
            "three on a square",
            square(Metric::Chebyshev),
            steps,
            &[BLIND, PILLAR, footprint(1, 0, 0)],
        )
        .one_in(stride),
        world(
            "three on a square, four neighbours",
            square(Metric::Manhattan),
            steps,
            &[BLIND, WALKER, PILLAR],
        )
        .one_in(stride),
        world(
            "three on a square, straight lines",
            square(Metric::Euclidean),
            steps,
            &[BLIND, WALKER, WALKER],
        )
        .one_in(stride),
        world("three on a joined square", joined, steps, &[BLIND, STONE, WATCHER])
            .one_in(size.of(9, 1)),
        world("three on a joined plane", joined.as_plane(), steps, &[BLIND, STONE, PILLAR])
            .one_in(size.of(9, 1)),
    ]
    .into_iter()
    .map(|world| world.moving(seeds))
    .collect()
}

/// Four agents.
fn crowds(size: Size) -> Vec<SmallWorld> {
    let line = Area::line(size.of(8, 10));
    let square = Area::grid(Metric::Chebyshev, 4, 4);
    vec![
        world("four walkers", line, size.of(2, 3), &[WALKER; 4]).one_in(size.of(499, 3)),
        world("four unlike", line, size.of(2, 4), &[BLIND, PILLAR, THROWER, WATCHER])
            .reading_at_start()
            .one_in(size.of(199, 7)),
        world(
            "four on a square",
            square,
            size.of(2, 3),
            &[BLIND, STONE, PILLAR, footprint(1, 0, 0)],
        )
        .one_in(size.of(1999, 29)),
        world(
            "four on a square, five steps",
            square,
            size.of(3, 5),
            &[STONE, PILLAR, footprint(1, 0, 0), BLIND],
        )
        .reading_at_start()
        .one_in(size.of(1999, 199)),
    ]
}

/// Sight 0 to 2, speed 0 to 2, reach up to 2 more than the speed; or a few of them.
fn every_footprint(size: Size) -> Vec<Footprint> {
    let all = (0..27).map(|code| {
        let speed = code / 9;
        footprint(code % 3, speed + code / 3 % 3, speed)
    });
    size.of(KINDS.to_vec(), all.collect())
}

/// Two agents of every pair of footprints, three of every three kinds.
fn footprints(size: Size) -> Vec<SmallWorld> {
    let (line, all) = (Area::line(8), every_footprint(size));
    let pairs = all.iter().flat_map(|&a| all.iter().map(move |&b| [a, b])).map(|pair| {
        world("every pair of footprints", line, 3, &pair).reading_at_start().one_in(size.of(7, 1))
    });
    let kinds = size.of(&KINDS[4..], &KINDS);
    let threes = kinds.iter().flat_map(|&a| kinds.iter().map(move |&b| (a, b)));
    let threes = threes.flat_map(|(a, b)| kinds.iter().map(move |&c| [a, b, c])).map(|three| {
        world("every three kinds", line, 3, &three).reading_at_start().one_in(size.of(61, 8))
    });
    pairs.chain(threes).collect()
}

/// One agent and one that joins, of every pair of footprints.
fn newcomers(size: Size, rule: Rule) -> Vec<SmallWorld> {
    let all = every_footprint(size);
    let fits = |a: &Footprint, b: &Footprint| rule == Rule::Conservative || a.union(b) == *a;
    let pairs = all.iter().flat_map(|&a| all.iter().map(move |&b| (a, b)));
    let worlds = pairs.filter(|(a, b)| fits(a, b)).flat_map(|(a, b)| {
        [None, Some(2)].map(|at| {
            world("newcomer, every pair of footprints", Area::line(8), 3, &[a])
                .reading_at_start()
                .joining(b, at)
                .one_in(size.of(13, 1))
        })
    });
    worlds.collect()
}

/// One agent that brings another about, of every pair of footprints for which the core says where
/// it may, as far away as that; and somebody who looks on.
fn children(size: Size) -> Vec<SmallWorld> {
    let all = every_footprint(size);
    let pairs = all.iter().flat_map(|&parent| all.iter().map(move |&child| (parent, child)));
    let worlds = pairs.flat_map(|(parent, child)| {
        let limit = spawning_bound(&parent, &child).filter(|limit| *limit >= 0.0);
        [WALKER, STONE, WATCHER].into_iter().filter_map(move |other| {
            let world =
                world("child, every pair of footprints", Area::line(8), 3, &[parent, other])
                    .reading_at_start()
                    .one_in(size.of(29, 4));
            limit.map(|limit| world.bearing(0, 0, child, limit as u8))
        })
    });
    worlds.collect()
}

/// Agents that join or leave.
fn membership(size: Size) -> Vec<SmallWorld> {
    let (line, steps, seeds) = (Area::line(8), size.of(3, 4), size.seeds(3));
    let two = |name| world(name, line, steps, &[WALKER; 2]).one_in(size.of(13, 1));
    vec![
        two("two and a newcomer, soon as it may").joining(WALKER, None),
        two("two and a newcomer for step 2").joining(PILLAR, Some(2)),
        world("newcomer on a ring", line.wrapped(), steps, &[PILLAR, BLIND])
            .joining(BLIND, None)
            .one_in(size.of(5, 1)),
        world("two and two newcomers", line, size.of(2, 3), &[WALKER; 2])
            .joining(WALKER, None)
            .joining(STONE, Some(1))
            .one_in(size.of(187, 11)),
        world("three, one leaves", line, steps, &[WALKER, BLIND, PILLAR])
            .leaving(1, 2)
            .one_in(size.of(13, 1)),
        world("three, two leave", line, steps, &[WALKER; 3])
            .leaving(0, 1)
            .leaving(2, 2)
            .one_in(size.of(13, 1)),
        two("one leaves, one joins").joining(WALKER, None).leaving(0, 2),
        two("a newcomer leaves again").joining(BLIND, None).leaving(2, size.of(2, 3)),
    ]
    .into_iter()
    .map(|world| world.moving(seeds))
    .collect()
}

/// Agents brought about by others, which only a versioned world has.
fn births(size: Size) -> Vec<SmallWorld> {
    let (steps, seeds) = (size.of(3, 4), size.seeds(6));
    let some = |name, steps, who: &[Footprint]| {
        world(name, Area::line(8), steps, who).one_in(size.of(11, 1))
    };
    vec![
        some("two, one with a child", steps, &[WALKER; 2]).bearing(0, 1, WALKER, 1),
        some("a child that reaches far", steps, &[THROWER, WALKER]).bearing(
            0,
            0,
            footprint(1, 2, 1),
            1,
        ),
        some("a child and its child", size.of(2, 4), &[THROWER, BLIND])
            .bearing(0, 0, WALKER, 2)
            .bearing(2, 1, PILLAR, 1),
        some("two, each with a child", steps, &[PILLAR, WALKER])
            .bearing(0, 1, STONE, 1)
            .bearing(1, 0, BLIND, 1),
        some("three, one with a child", 3, &[BLIND, WALKER, WATCHER])
            .bearing(0, 1, BLIND, 1)
            .one_in(size.of(61, 2)),
        some("a newcomer with a child", 3, &[WALKER; 2])
            .joining(WALKER, Some(1))
            .bearing(2, 1, WALKER, 1)
            .one_in(size.of(53, 2)),
    ]
    .into_iter()
    .map(|world| world.moving(seeds))
    .collect()
}

/// As [`paths`], of a size that fits the wider bounds of a world changed in place.
fn in_place_paths(size: Size) -> Vec<SmallWorld> {
    let line = |small, full| Area::line(size.of(small, full));
    vec![
        world("two walkers, every path", line(7, 9), size.of(2, 3), &[WALKER; 2])
            .every_path()
            .one_in(size.of(2, 1)),
        world("two blind, every path", line(6, 9), size.of(2, 3), &[BLIND; 2])
            .every_path()
            .one_in(size.of(2, 1)),
        world("three walkers, every path", line(6, 7), 2, &[WALKER; 3])
            .every_path()
            .one_in(size.of(61, 1)),
    ]
}

fn in_place_lines(size: Size) -> Vec<SmallWorld> {
    let (line, seeds) = (Area::line(10), size.seeds(6));
    let ring = Area::line(9).wrapped();
    vec![
        world("three walkers", line, size.of(3, 5), &[WALKER; 3]).one_in(size.of(11, 1)),
        world("three walkers, finishing in batches", line, size.of(3, 4), &[WALKER; 3])
            .in_batches()
            .one_in(size.of(11, 1)),
        world("walker, pillar, stone", line, size.of(3, 5), &[WALKER, PILLAR, STONE])
            .one_in(size.of(11, 1)),
        world("runner, thrower, stone", Area::line(11), size.of(3, 4), &[RUNNER, THROWER, STONE])
            .one_in(size.of(11, 1)),
        world("three on a ring of nodes", ring.as_graph(), size.of(3, 5), &[WALKER, BLIND, PILLAR]),
        world("three on a ring", ring, size.of(3, 5), &[WALKER; 3]),
    ]
    .into_iter()
    .map(|world| world.moving(seeds))
    .collect()
}

fn in_place_crowds(size: Size) -> Vec<SmallWorld> {
    let unmoved = [PILLAR, footprint(1, 0, 0), STONE, PILLAR];
    vec![
        world("four walkers", Area::line(size.of(9, 12)), size.of(2, 4), &[WALKER; 4])
            .one_in(size.of(197, 3)),
        world("four, unmoved", Area::line(10), size.of(2, 3), &unmoved).one_in(size.of(499, 23)),
    ]
}

fn in_place_squares(size: Size) -> Vec<SmallWorld> {
    let square = |metric| Area::grid(metric, 4, 4);
    let (steps, stride) = (size.of(3, 4), size.of(29, 1));
    let unmoved = [footprint(1, 0, 0), PILLAR, STONE];
    vec![
        world("three on a square, unmoved", square(Metric::Chebyshev), steps, &unmoved),
        world(
            "three on a square, four neighbours",
            square(Metric::Manhattan),
            steps,
            &[BLIND, WALKER, STONE],
        ),
        world("three on a square, straight lines", square(Metric::Euclidean), steps, &[BLIND; 3]),
        world(
            "three on a plane",
            square(Metric::Euclidean).as_plane(),
            steps,
            &[BLIND, STONE, PILLAR],
        ),
    ]
    .into_iter()
    .map(|world| world.one_in(stride).moving(size.seeds(6)))
    .collect()
}
