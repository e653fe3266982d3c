//! The two worlds that agents read and change: one keeps every version, one is changed in place.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use headway_core::Step;

use crate::agent::{Effects, Key, Perceived, State, act};
use crate::ground::Place;
use crate::setting::Setting;

/// What a world must offer to be run in any order.
pub trait World: Debug + PartialEq {
    /// Nobody is there.
    fn new() -> Self;

    /// Somebody is there from the start of this step on.
    fn join(&mut self, agent: Key, step: Step, state: State);

    /// Somebody is gone from the start of this step on.
    fn leave(&mut self, agent: Key, step: Step);

    /// An agent looks at the world in the middle of a step, and decides.
    fn read_and_act(&mut self, setting: &Setting, agent: Key, step: Step) -> Effects;

    /// What it decided takes effect.
    fn commit(&mut self, agent: Key, step: Step, effects: &Effects);

    /// The states of an agent at the start of its steps, from the first on.
    fn lives(&self) -> impl Iterator<Item = (Key, Step, &[State])>;

    /// Where this world differs from another, in words.
    fn difference(&self, lockstep: &Self) -> Option<String> {
        let (own, expected): (Vec<_>, Vec<_>) =
            (self.lives().collect(), lockstep.lives().collect());
        let first_of = |lives: &[(Key, Step, &[State])], others: &[(Key, Step, &[State])]| {
            let differing = lives.iter().filter(|life| !others.contains(life)).filter_map(|life| {
                let (agent, first, states) = *life;
                let Some(other) = others.iter().find(|other| other.0 == agent) else {
                    return Some((first, agent));
                };
                let equal = states.iter().zip(other.2).take_while(|(a, b)| a == b).count();
                (other.1 != first || equal < states.len()).then_some((first + equal as Step, agent))
            });
            differing.min()
        };
        let first = [first_of(&own, &expected), first_of(&expected, &own)];
        match first.into_iter().flatten().min() {
            Some((step, agent)) => {
                Some(format!("agent {agent:#x} is not as in lock-step at the start of step {step}"))
            }
            None if self == lockstep => None,
            None => Some("marks or messages are not as in lock-step".to_owned()),
        }
    }
}

type Spot = [u64; 2];

fn spot(place: Place) -> Spot {
    place.map(f64::to_bits)
}

fn place(spot: Spot) -> Place {
    spot.map(f64::from_bits)
}

/// The steps of which an agent has a state.
#[derive(Clone, Debug, PartialEq)]
struct Life {
    first: Step,
    states: Vec<State>,
    gone: Step,
}

impl Life {
    fn at(&self, step: Step) -> Option<&State> {
        self.states.get(step.checked_sub(self.first).filter(|_| step < self.gone)? as usize)
    }
}

/// Keeps every version; a reader sees the one of the start of its own step.
#[derive(Debug, PartialEq)]
pub struct Versioned {
    lives: BTreeMap<Key, Life>,
    /// At each place, by the step it takes effect at and the writer.
    marks: BTreeMap<Spot, BTreeMap<(Step, Key), u64>>,
    /// By receiver, the step it is read at, and sender.
    messages: BTreeMap<(Key, Step, Key), u64>,
    /// By the step it was called out in, and caller.
    calls: BTreeMap<(Step, Key), u64>,
}

impl Versioned {
    /// What was called out in a step within reach of where somebody stood in it.
    fn heard(&self, setting: &Setting, agent: Key, step: Step) -> Vec<(Key, u64)> {
        let Some(own) = self.lives[&agent].at(step) else { return Vec::new() };
        let calls = self.calls.range((step, 0)..(step + 1, 0));
        let heard = calls.filter(|((_, caller), _)| {
            let caller_then = self.lives[caller].at(step).expect("it was there");
            *caller != agent && setting.hears(own.at, caller_then)
        });
        heard.map(|(&(_, caller), &value)| (caller, value)).collect()
    }
}

impl World for Versioned {
    fn new() -> Self {
        Self {
            lives: BTreeMap::new(),
            marks: BTreeMap::new(),
            messages: BTreeMap::new(),
            calls: BTreeMap::new(),
        }
    }

    fn join(&mut self, agent: Key, step: Step, state: State) {
        let life = Life { first: step, states: vec![state], gone: Step::MAX };
        assert!(self.lives.insert(agent, life).is_none(), "{agent:#x} is there already");
    }

    fn leave(&mut self, agent: Key, step: Step) {
        // In a run that went wrong it may never have come.
        if let Some(life) = self.lives.get_mut(&agent) {
            life.gone = step;
        }
    }

    fn read_and_act(&mut self, setting: &Setting, agent: Key, step: Step) -> Effects {
        let own = *self.lives[&agent].at(step).expect("it is there");
        let seen = |at: Place| setting.sees(own.at, at, own.footprint.sight);
        let others = self.lives.iter().filter(|(other, _)| **other != agent);
        let others = others.filter_map(|(other, life)| Some((*other, *life.at(step)?)));
        let marks = self.marks.iter().filter(|(at, _)| seen(place(**at)));
        let messages = self.messages.range((agent, step, 0)..(agent, step + 1, 0));
        let messages = messages.map(|(&(_, _, sender), &value)| (sender, value));
        let calls = step.checked_sub(1).map(|before| self.heard(setting, agent, before));
        let mut inbox: Vec<_> = messages.chain(calls.unwrap_or_default()).collect();
        inbox.sort_unstable();
        let perceived = Perceived {
            others: others.filter(|(_, state)| seen(state.at)).collect(),
            marks: marks
                .filter_map(|(at, versions)| {
                    // Of those in effect the latest, and of equals that of the highest writer.
                    let (_, value) = versions.range(..=(step, Key::MAX)).next_back()?;
                    Some((place(*at), *value))
                })
                .collect(),
            inbox,
        };
        act(setting, agent, step, own, &perceived)
    }

    fn commit(&mut self, agent: Key, step: Step, effects: &Effects) {
        let life = self.lives.get_mut(&agent).expect("it is there");
        assert!(life.at(step).is_some() && life.at(step + 1).is_none(), "steps are made in order");
        life.states.push(effects.state);
        let value = effects.state.value;
        if let Some(mark) = effects.mark {
            self.marks.entry(spot(mark)).or_default().insert((step + 1, agent), value);
        }
        if let Some(receiver) = effects.message_to {
            self.messages.insert((receiver, step + 1, agent), value);
        }
        if effects.calls {
            self.calls.insert((step, agent), value);
        }
    }

    fn lives(&self) -> impl Iterator<Item = (Key, Step, &[State])> {
        self.lives.iter().map(|(agent, life)| (*agent, life.first, life.states.as_slice()))
    }
}

/// Keeps one version; a reader sees whatever is there when it looks.
#[derive(Debug, PartialEq)]
pub struct InPlace {
    present: BTreeMap<Key, State>,
    marks: BTreeMap<Spot, u64>,
    /// By receiver, with sender.
    inboxes: BTreeMap<Key, BTreeSet<(Key, u64)>>,
    /// Who stood within reach of an agent in the middle of a step when that one read.
    near: BTreeMap<Key, Vec<Key>>,
    /// For comparison only.
    past: BTreeMap<Key, (Step, Vec<State>)>,
}

impl World for InPlace {
    fn new() -> Self {
        Self {
            present: BTreeMap::new(),
            marks: BTreeMap::new(),
            inboxes: BTreeMap::new(),
            near: BTreeMap::new(),
            past: BTreeMap::new(),
        }
    }

    fn join(&mut self, agent: Key, step: Step, state: State) {
        self.present.insert(agent, state);
        self.past.insert(agent, (step, vec![state]));
    }

    fn leave(&mut self, agent: Key, _step: Step) {
        self.present.remove(&agent);
    }

    fn read_and_act(&mut self, setting: &Setting, agent: Key, step: Step) -> Effects {
        let own = self.present[&agent];
        let seen = |at: Place| setting.sees(own.at, at, own.footprint.sight);
        let others = || self.present.iter().filter(|(other, _)| **other != agent);
        let near = others().filter(|(_, s)| setting.hears(s.at, &own)).map(|(other, _)| *other);
        self.near.insert(agent, near.collect());
        let others = others().filter(|(_, s)| seen(s.at));
        let marks = self.marks.iter().map(|(at, value)| (place(*at), *value));
        let perceived = Perceived {
            others: others.map(|(other, state)| (*other, *state)).collect(),
            marks: marks.filter(|(at, _)| seen(*at)).collect(),
            inbox: self.inboxes.remove(&agent).unwrap_or_default().into_iter().collect(),
        };
        act(setting, agent, step, own, &perceived)
    }

    fn commit(&mut self, agent: Key, _step: Step, effects: &Effects) {
        let state = effects.state;
        self.present.insert(agent, state);
        self.past.get_mut(&agent).expect("it has come").1.push(state);
        if let Some(mark) = effects.mark {
            self.marks.insert(spot(mark), state.value);
        }
        if let Some(receiver) = effects.message_to {
            self.inboxes.entry(receiver).or_default().insert((agent, state.value));
        }
        let hearers = self.near.remove(&agent).filter(|_| effects.calls);
        for hearer in hearers.unwrap_or_default() {
            self.inboxes.entry(hearer).or_default().insert((agent, state.value));
        }
    }

    fn lives(&self) -> impl Iterator<Item = (Key, Step, &[State])> {
        self.past.iter().map(|(agent, (first, states))| (*agent, *first, states.as_slice()))
    }
}
