//! What a small world is: where, who, how far they read, write and move, who joins, leaves or is
//! brought about; and every way it can begin.

use headway_core::{Footprint, Metric, Rule};

use super::map::{Area, Cell, Ground, Map};

/// An agent's number, the same in every order of events: the first agents, then those who join,
/// then children. The scheduler's ids are given in the order of calls.
pub type Name = usize;

/// Steps of a small world fit a byte.
pub type Step = u8;

/// How agents move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moves {
    /// One run for each way the first agents can walk, step by step. They leave a mark on every
    /// tile within reach at every step.
    EveryPath,
    /// One run for each of so many seeds: moves and marks (one at each step) hang on all that an
    /// agent perceives, mixed with the seed.
    Seeds(u32),
}

/// When a step reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// As it starts; the two are one event.
    AtStart,
    /// At any instant between start and finish; each agent's reading is an event of its own.
    AnyTime,
}

/// Somebody joins, at any instant of the run. Where, is a part of how the run begins.
#[derive(Clone, Copy, Debug)]
pub struct Join {
    /// Its footprint.
    pub footprint: Footprint,
    /// At which step; at the earliest possible one where none is given. Nobody joins where it is
    /// refused, or from the last step on.
    pub at: Option<Step>,
}

/// Somebody leaves, once its clock is there.
#[derive(Clone, Copy, Debug)]
pub struct Leave {
    /// Who.
    pub name: Name,
    /// The first step it does not execute.
    pub at: Step,
}

/// Somebody is brought about.
#[derive(Clone, Copy, Debug)]
pub struct Birth {
    /// By whom.
    pub parent: Name,
    /// At which of the parent's steps.
    pub step: Step,
    /// Its footprint.
    pub footprint: Footprint,
    /// How far from the parent.
    pub away: f64,
}

/// A small world.
#[derive(Clone, Debug)]
pub struct SmallWorld {
    /// For the table.
    pub name: &'static str,
    /// Conservative: every version is kept. Compatibility: the world is changed in place.
    pub rule: Rule,
    /// Where.
    pub area: Area,
    /// Everybody's last clock.
    pub steps: Step,
    /// Of the first agents.
    pub footprints: Vec<Footprint>,
    /// How agents move.
    pub moves: Moves,
    /// When a step reads.
    pub reads: Reads,
    /// Whether several running agents may also finish in one call.
    pub batches: bool,
    /// Who joins.
    pub joins: Vec<Join>,
    /// Who leaves.
    pub leaves: Vec<Leave>,
    /// Who is brought about.
    pub births: Vec<Birth>,
    /// Of the ways to place the agents, every so many-th is taken; 1 takes all.
    pub stride: usize,
}

impl Default for SmallWorld {
    fn default() -> Self {
        Self {
            name: "",
            rule: Rule::Conservative,
            area: Area::line(6),
            steps: 3,
            footprints: Vec::new(),
            moves: Moves::Seeds(1),
            reads: Reads::AnyTime,
            batches: false,
            joins: Vec::new(),
            leaves: Vec::new(),
            births: Vec::new(),
            stride: 1,
        }
    }
}

impl SmallWorld {
    /// Number of those who are ever there.
    #[must_use]
    pub fn names(&self) -> usize {
        self.placed() + self.births.len()
    }

    /// Number of those whose place is a part of how a run begins.
    #[must_use]
    pub fn placed(&self) -> usize {
        self.footprints.len() + self.joins.len()
    }

    /// The footprint of anybody.
    #[must_use]
    pub fn footprint(&self, name: Name) -> Footprint {
        let joins = self.joins.iter().map(|join| join.footprint);
        let births = self.births.iter().map(|birth| birth.footprint);
        self.footprints.iter().copied().chain(joins).chain(births).nth(name).expect("a name")
    }

    /// The footprint that covers those of all first agents.
    #[must_use]
    pub fn widest(&self) -> Footprint {
        self.footprints.iter().copied().reduce(|a, b| a.union(&b)).expect("somebody is there")
    }

    /// The child that a step brings about, if any.
    #[must_use]
    pub fn child(&self, parent: Name, step: Step) -> Option<Name> {
        let births = self.births.iter();
        let found = births.enumerate().find(|(_, b)| (b.parent, b.step) == (parent, step));
        found.map(|(number, _)| self.placed() + number)
    }

    /// The step from which on somebody executes none.
    #[must_use]
    pub fn stop(&self, name: Name) -> Step {
        let leave = self.leaves.iter().find(|leave| leave.name == name);
        leave.map_or(self.steps, |leave| leave.at)
    }

    /// Every way to place the agents, of those alike by a symmetry of the area one, then every
    /// `stride`-th of them. Agents are told apart even where their footprints are equal.
    #[must_use]
    pub fn placements(&self, map: &Map) -> Vec<Vec<Cell>> {
        let symmetries = map.symmetries();
        let mut place = vec![0; self.placed()];
        let mut found = Vec::new();
        loop {
            let image = |symmetry: &Vec<Cell>| {
                let moved: Vec<_> = place.iter().map(|&cell| symmetry[usize::from(cell)]).collect();
                moved >= place
            };
            if symmetries.iter().all(image) {
                found.push(place.clone());
            }
            let Some(last) = place.iter().rposition(|&cell| cell + 1 < self.area.cells()) else {
                break;
            };
            place[last] += 1;
            place[last + 1..].fill(0);
        }
        found.into_iter().step_by(self.stride).collect()
    }

    /// Calls for every run of this world, until told to stop.
    pub fn each_setting(&self, map: &Map, mut each: impl FnMut(Setting)) {
        for starts in self.placements(map) {
            match self.moves {
                Moves::Seeds(seeds) => {
                    for seed in 0..u64::from(seeds) {
                        each(Setting { starts: starts.clone(), seed, paths: None });
                    }
                }
                Moves::EveryPath => {
                    let ways: Vec<_> = (0..self.footprints.len())
                        .map(|name| self.paths(map, name, starts[name]))
                        .collect();
                    let total = ways.iter().map(Vec::len).product();
                    for code in 0..total {
                        let mut rest: usize = code;
                        let paths = ways.iter().map(|of_one| {
                            let path = of_one[rest % of_one.len()].clone();
                            rest /= of_one.len();
                            path
                        });
                        let paths = Some(paths.collect());
                        each(Setting { starts: starts.clone(), seed: 0, paths });
                    }
                }
            }
        }
    }

    /// Every way one agent can walk from a start; the place at each clock.
    fn paths(&self, map: &Map, name: Name, start: Cell) -> Vec<Vec<Cell>> {
        let mut paths = vec![vec![start]];
        for _ in 0..self.stop(name) {
            paths = paths
                .iter()
                .flat_map(|path| {
                    let here = *path.last().expect("a path has a start");
                    map.within(here, self.footprint(name).speed)
                        .map(|to| [path.as_slice(), &[to]].concat())
                })
                .collect();
        }
        paths
    }

    /// The same with straight-line distances, in which a perceived square has far corners.
    #[must_use]
    pub fn euclidean(&self) -> Self {
        let ground = Ground::Grid(Metric::Euclidean);
        Self { area: Area { ground, ..self.area }, ..self.clone() }
    }
}

/// How one run begins, and what decides its moves.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The places of the first agents, and of those who join.
    pub starts: Vec<Cell>,
    /// Mixed into all that agents decide.
    pub seed: u64,
    /// The place of each first agent at each clock, where that is given.
    pub paths: Option<Vec<Vec<Cell>>>,
}
