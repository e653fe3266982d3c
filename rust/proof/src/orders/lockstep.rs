//! The run in lock-step: at every step everybody reads the snapshot of its start, then all effects
//! are applied, in order of names. Every other order is compared with it.
//!
//! What an agent has read is kept as *who made it in which step*, not as a value. That is exact:
//! as long as every step so far has read what it reads in lock-step, each has done what it does in
//! lock-step, so a value is known by its maker; and the first step that reads anything else ends
//! the search. It also means that moves and marks may be taken from here in every order.

use std::fmt;

use super::group::Group;
use super::map::{Cell, Map};
use super::world::{Moves, Name, Setting, SmallWorld, Step};

/// One thing an agent perceives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Seen {
    /// Another agent, as it is at the start of this step of its own.
    Agent(Name, Step),
    /// A mark on a tile, and whose it is.
    Mark(Cell, Source),
    /// A shout of somebody within whose reach the reader stood then.
    Heard(Source),
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agent(name, clock) => write!(f, "{name} as of clock {clock}"),
            Self::Mark(cell, by) => write!(f, "on tile {cell} the mark of {by}"),
            Self::Heard(by) => write!(f, "the shout of {by}"),
        }
    }
}

/// One agent's step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source {
    /// When.
    pub step: Step,
    /// Who.
    pub name: Name,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}'s step {}", self.name, self.step)
    }
}

/// All that one step reads: agents by name, marks by tile, shouts by step and name.
pub type Perceived = Vec<Seen>;

/// What is read, in words.
#[must_use]
pub fn told(perceived: &[Seen]) -> String {
    let words: Vec<_> = perceived.iter().map(ToString::to_string).collect();
    if words.is_empty() { "nothing".to_string() } else { words.join(", ") }
}

/// What one agent does in lock-step.
#[derive(Clone, Debug)]
pub struct Life {
    /// Its first step.
    pub first: Step,
    /// The first step it does not execute.
    pub stop: Step,
    /// The first snapshot it is not in.
    pub gone: Step,
    /// Its place at the start of each step from the first on.
    at: Vec<Cell>,
    /// Of each step from the first on.
    deeds: Vec<Deed>,
}

/// One step of one agent in lock-step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deed {
    /// All it reads.
    pub perceived: Perceived,
    /// The tiles it marks.
    pub marks: Vec<Cell>,
    /// Who stands within its reach as it begins; they hear it at the step after.
    pub hearers: Group,
}

impl Life {
    /// Where it stands at the start of a step.
    #[must_use]
    pub fn at(&self, step: Step) -> Cell {
        self.at[usize::from(step - self.first)]
    }

    /// What it does in a step.
    #[must_use]
    pub fn deed(&self, step: Step) -> &Deed {
        &self.deeds[usize::from(step - self.first)]
    }

    /// Whether it is in the snapshot of a step.
    #[must_use]
    pub fn in_snapshot(&self, step: Step) -> bool {
        self.first <= step && step < self.gone
    }
}

/// The run in lock-step in which those who join do so at given steps.
#[derive(Clone, Debug)]
pub struct Lockstep {
    /// By name; nothing for those who never come.
    pub lives: Vec<Option<Life>>,
    /// Of each tile, whose marks it gets, in order.
    marks: Vec<Vec<Source>>,
}

impl Lockstep {
    /// Runs a world in lock-step. `joined` is the step at which each of those who join does, if it
    /// does.
    #[must_use]
    pub fn run(world: &SmallWorld, map: &Map, setting: &Setting, joined: &[Option<Step>]) -> Self {
        let lives = vec![None; world.names()];
        let mut run = Self { lives, marks: vec![Vec::new(); usize::from(world.area.cells())] };
        let firsts = world.footprints.iter().map(|_| Some(0)).chain(joined.iter().copied());
        let firsts: Vec<_> = firsts.collect();
        for step in 0..world.steps {
            for (name, _) in firsts.iter().enumerate().filter(|(_, first)| **first == Some(step)) {
                run.come(world, name, step, setting.starts[name]);
            }
            let acting: Vec<_> = (0..world.names())
                .filter(|&name| run.life(name).is_some_and(|l| l.first <= step && step < l.stop))
                .collect();
            // All have finished the steps before.
            let clock = |name: Name| run.life(name).filter(|l| l.first <= step).map(|_| step);
            let read: Vec<_> =
                acting.iter().map(|&name| run.perceive(world, map, clock, name, step)).collect();
            let hearers: Vec<_> =
                acting.iter().map(|&name| run.hearers(world, map, name, step)).collect();
            for ((name, perceived), hearers) in acting.into_iter().zip(read).zip(hearers) {
                run.act(world, map, setting, name, step, perceived, hearers);
            }
        }
        run
    }

    /// What is known of somebody, if it ever comes.
    #[must_use]
    pub fn life(&self, name: Name) -> Option<&Life> {
        self.lives[name].as_ref()
    }

    /// Where somebody who comes stands at the start of a step.
    #[must_use]
    pub fn at(&self, name: Name, step: Step) -> Cell {
        self.life(name).expect("it comes").at(step)
    }

    fn come(&mut self, world: &SmallWorld, name: Name, first: Step, at: Cell) {
        let stop = world.stop(name);
        let gone = match (stop < world.steps, world.rule) {
            (false, _) => Step::MAX,
            // Others at its last clock may have seen it there already.
            (true, headway_core::Rule::Conservative) => stop + 1,
            (true, headway_core::Rule::Compatibility) => stop,
        };
        self.lives[name] = Some(Life { first, stop, gone, at: vec![at], deeds: Vec::new() });
    }

    /// What somebody reads in a versioned world where the others have come to these clocks: of
    /// all that belongs to the snapshot of its step, what is there.
    pub fn perceive(
        &self,
        world: &SmallWorld,
        map: &Map,
        clock: impl Fn(Name) -> Option<Step>,
        reader: Name,
        step: Step,
    ) -> Perceived {
        let here = self.at(reader, step);
        let sight = world.footprint(reader).sight;
        let others = || (0..self.lives.len()).filter(|other| *other != reader);
        let mut seen = Perceived::new();
        for other in others().filter(|other| clock(*other) >= Some(step)) {
            let life = self.life(other).expect("who has a clock has come");
            if life.in_snapshot(step) && map.distance(here, life.at(step)) <= sight {
                seen.push(Seen::Agent(other, step));
            }
        }
        for cell in map.within(here, sight) {
            let known = |mark: &&Source| mark.step < step && clock(mark.name) > Some(mark.step);
            let last = self.marks[usize::from(cell)].iter().rev().find(known);
            seen.extend(last.map(|mark| Seen::Mark(cell, *mark)));
        }
        let Some(before) = step.checked_sub(1) else { return seen };
        for name in others().filter(|other| clock(*other) > Some(before)) {
            let life = self.life(name).expect("who has a clock has come");
            let acted = life.first <= before && before < life.stop;
            if acted && life.deed(before).hearers.has(reader) {
                seen.push(Seen::Heard(Source { step: before, name }));
            }
        }
        seen
    }

    /// Who is in the snapshot of a step within reach of somebody.
    fn hearers(&self, world: &SmallWorld, map: &Map, name: Name, step: Step) -> Group {
        let here = self.at(name, step);
        let near = |other: &Name| {
            *other != name
                && self.life(*other).is_some_and(|life| {
                    life.in_snapshot(step)
                        && map.distance(here, life.at(step)) <= world.footprint(name).reach
                })
        };
        (0..self.lives.len()).filter(near).collect()
    }

    #[expect(clippy::too_many_arguments, reason = "all that a step's outcome hangs on")]
    fn act(
        &mut self,
        world: &SmallWorld,
        map: &Map,
        setting: &Setting,
        name: Name,
        step: Step,
        perceived: Perceived,
        hearers: Group,
    ) {
        let here = self.at(name, step);
        let decision = self.decide(setting, name, step, &perceived);
        let choose = |cells: Vec<Cell>, salt: u64| {
            cells[(mix(decision ^ salt) % cells.len() as u64) as usize]
        };
        let speed = world.footprint(name).speed;
        let to = match setting.paths.as_ref().and_then(|paths| paths.get(name)) {
            Some(path) => path[usize::from(step) + 1],
            None => choose(map.within(here, speed).collect(), 1),
        };
        let mut marks: Vec<_> = map.within(here, world.footprint(name).reach).collect();
        if let Moves::Seeds(_) = world.moves {
            marks = vec![choose(marks, 2)];
        }
        for &cell in &marks {
            self.marks[usize::from(cell)].push(Source { step, name });
        }
        if let Some(child) = world.child(name, step) {
            // As far away as it may be.
            let away = world.births[child - world.placed()].away;
            let near: Vec<_> = map.within(here, away).collect();
            let farthest = near.iter().map(|q| map.distance(here, *q)).fold(0.0, f64::max);
            let rim = near.into_iter().filter(|q| map.distance(here, *q) >= farthest);
            self.come(world, child, step + 1, choose(rim.collect(), 3));
        }
        let life = self.lives[name].as_mut().expect("who acts has come");
        life.at.push(to);
        life.deeds.push(Deed { perceived, marks, hearers });
    }

    /// A number that hangs on all that an agent perceives.
    fn decide(&self, setting: &Setting, name: Name, step: Step, perceived: &[Seen]) -> u64 {
        let mut hash = mix(setting.seed ^ (name as u64) << 32 ^ u64::from(step) << 40);
        let mut add = |numbers: [u64; 4]| {
            for number in numbers {
                hash = mix(hash ^ number);
            }
        };
        for seen in perceived {
            match *seen {
                Seen::Agent(other, step) => {
                    add([0, other as u64, u64::from(step), u64::from(self.at(other, step))]);
                }
                Seen::Mark(cell, by) => {
                    add([1, u64::from(cell), by.name as u64, u64::from(by.step)]);
                }
                Seen::Heard(by) => add([2, 0, by.name as u64, u64::from(by.step)]),
            }
        }
        hash
    }

    /// The last mark on each tile.
    pub fn last_marks(&self) -> impl Iterator<Item = Option<Source>> {
        self.marks.iter().map(|marks| marks.last().copied())
    }
}

/// `SplitMix64`: spreads a number.
fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}
