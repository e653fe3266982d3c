//! The agents of the random worlds. What one does in a step depends on all it perceives, so one
//! wrong read changes the rest of the run.

use headway_core::{Footprint, Step};

use crate::ground::Place;
use crate::random::Random;
use crate::setting::Setting;

/// An agent's name, the same in every order of execution: the number of an agent that was there at
/// first or was added, and the steps at which it and then its children brought the next one about.
/// Ids are given in the order of calls, so they would not do.
pub type Key = u64;

/// Bits of a key that hold the step of one birth.
const BIRTH_BITS: u32 = 5;
/// Bits of a key that hold all births.
const PATH_BITS: u32 = 50;

/// The name of the agent that is there at first, or is added, as this number.
pub fn root(number: usize) -> Key {
    (number as u64) << PATH_BITS
}

/// The name of whom an agent brings about in this step.
pub fn child_of(parent: Key, step: Step) -> Key {
    assert!(step + 1 < 1 << BIRTH_BITS, "step {step} does not fit a key");
    let path = parent & ((1 << PATH_BITS) - 1);
    parent - path + (path << BIRTH_BITS) + u64::from(step) + 1
}

/// How many births lie behind it.
pub fn generation(agent: Key) -> u32 {
    let births = 0..PATH_BITS / BIRTH_BITS;
    births.filter(|n| agent >> (BIRTH_BITS * n) & ((1 << BIRTH_BITS) - 1) > 0).count() as u32
}

/// One agent at the start of one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct State {
    /// Where it stands.
    pub at: Place,
    /// What it has become of all it has perceived.
    pub value: u64,
    /// How far it reads, writes and moves.
    pub footprint: Footprint,
}

/// What an agent does in one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Effects {
    /// Itself, at the start of the next step.
    pub state: State,
    /// Where it leaves its value.
    pub mark: Option<Place>,
    /// To whom it sends its value.
    pub message_to: Option<Key>,
    /// Whether it calls its value out: who stands within its reach hears it one step later, seen or
    /// not.
    pub calls: bool,
    /// Whom it brings about.
    pub child: Option<State>,
}

/// All that an agent perceives in one step, each list in an order that does not depend on the order
/// of execution.
#[derive(Clone, Debug, Default)]
pub struct Perceived {
    /// Others in sight.
    pub others: Vec<(Key, State)>,
    /// Marks in sight.
    pub marks: Vec<(Place, u64)>,
    /// Messages and calls, by sender.
    pub inbox: Vec<(Key, u64)>,
}

/// What an agent does, given all it perceives.
pub fn act(setting: &Setting, agent: Key, step: Step, own: State, seen: &Perceived) -> Effects {
    let mut hash = Random(setting.seed ^ agent.rotate_left(32) ^ u64::from(step)).next();
    let mut mix = |x: u64| hash = Random(hash ^ x).next();
    let place = |[x, y]: Place| Random(x.to_bits()).next() ^ y.to_bits();
    mix(own.value);
    for (other, state) in &seen.others {
        mix(*other);
        mix(state.value);
        mix(place(state.at));
    }
    for (at, value) in &seen.marks {
        mix(place(*at));
        mix(*value);
    }
    for (sender, value) in &seen.inbox {
        mix(*sender);
        mix(*value);
    }
    let Footprint { reach, speed, .. } = own.footprint;
    let (ground, kinds) = (&setting.ground, &setting.events);
    let near: Vec<_> =
        seen.others.iter().filter(|(_, s)| ground.distance(own.at, s.at) <= reach).collect();
    let to = if kinds.moves { ground.near(own.at, speed, &mut Random(hash)) } else { own.at };
    let fertile = generation(agent) < kinds.generations && Random(hash ^ 2).chance(6);
    Effects {
        state: State { at: to, value: hash, ..own },
        mark: kinds.marks.then(|| ground.spot_near(own.at, reach, &mut Random(hash ^ 1))),
        message_to: (kinds.messages && !near.is_empty())
            .then(|| near[hash as usize % near.len()].0),
        calls: kinds.calls && hash & 1 == 0,
        child: fertile.then(|| setting.child(own, hash ^ 3)),
    }
}
