//! Any calls of a history of positions: each answers as a list of all places ever taken does, or is
//! refused and changes nothing.

use headway_core::{AgentId, Error, History, Space, Step};

use super::draw::Draw;
use super::ground::{Field, Ground, Net, Tiles};

const CALLS_MAX: usize = 150;
const AGENTS_MAX: usize = 12;

type Place<G> = <<G as Ground>::Space as Space>::Position;

/// Runs one input.
///
/// # Panics
/// Where the history does anything that it must not.
pub fn run(data: &[u8]) {
    let mut draw = Draw::new(data);
    match draw.below(3) {
        0 => on::<Tiles>(draw),
        1 => on::<Field>(draw),
        _ => on::<Net>(draw),
    }
}

fn on<G: Ground>(mut draw: Draw) {
    let Some(mut run) = G::draw(&mut draw).and_then(|ground| Run::new(ground, &mut draw)) else {
        return;
    };
    for _ in 0..CALLS_MAX {
        if draw.is_empty() {
            return;
        }
        run.call(&mut draw);
        run.check(&mut draw);
    }
}

/// An agent's places, each with its first step, and the step it was gone at.
struct Life<P> {
    places: Vec<(Step, P)>,
    gone: Step,
}

impl<P: Copy> Life<P> {
    fn at(&self, step: Step) -> Option<P> {
        let held = self.places.iter().rev().find(|(from, _)| *from <= step);
        held.filter(|_| step < self.gone).map(|(_, place)| *place)
    }

    fn since(&self) -> Step {
        self.places[self.places.len() - 1].0
    }
}

struct Run<G: Ground> {
    ground: G,
    history: History<G::Space>,
    lives: Vec<Life<Place<G>>>,
    oldest: Step,
}

impl<G: Ground> Run<G> {
    fn new(ground: G, draw: &mut Draw) -> Option<Self> {
        let places: Vec<_> = (0..draw.below(6)).map(|_| ground.place(draw)).collect();
        let radius = radius(draw);
        let usable = places.iter().all(|place| ground.fits(*place));
        let history = History::new(ground.space(), &places, radius);
        assert_eq!(history.is_ok(), usable, "{places:?}");
        let stay = |place| Life { places: vec![(0, place)], gone: Step::MAX };
        let lives = places.into_iter().map(stay).collect();
        Some(Self { ground, history: history.ok()?, lives, oldest: 0 })
    }

    fn call(&mut self, draw: &mut Draw) {
        match draw.below(12) {
            0 => self.add(draw),
            1 => self.remove(draw),
            2 => {
                let before = draw.step(self.oldest);
                self.history.forget(before);
                self.oldest = self.oldest.max(before.min(Step::MAX - 1));
            }
            _ => self.advance(draw),
        }
    }

    /// Agents, mostly such as there are, and a step for each, mostly after its last.
    fn moves(&self, draw: &mut Draw) -> (Vec<AgentId>, Vec<Step>) {
        let known = self.lives.len() as u8;
        let any = |draw: &mut Draw| match draw.below(16) {
            15 => draw.one_of(&[u32::from(known), u32::MAX, u32::MAX - 1]),
            _ => u32::from(draw.below(known.max(1))),
        };
        let ids: Vec<_> = (0..draw.below(4)).map(|_| AgentId(any(draw))).collect();
        let since = |id: &AgentId| self.lives.get(id.0 as usize).map_or(0, Life::since);
        let steps = ids.iter().map(|id| draw.step(since(id).max(self.oldest))).collect();
        (ids, steps)
    }

    /// Whether the last stays of all those can end then.
    fn can_end(&self, ids: &[AgentId], steps: &[Step]) -> bool {
        let one = |(i, (id, step)): (usize, (&AgentId, &Step))| {
            self.lives.get(id.0 as usize).is_some_and(|life| {
                !ids[..i].contains(id)
                    && life.gone == Step::MAX
                    && *step > life.since()
                    && (self.oldest..Step::MAX).contains(step)
            })
        };
        ids.iter().zip(steps).enumerate().all(one)
    }

    fn advance(&mut self, draw: &mut Draw) {
        let (ids, steps) = self.moves(draw);
        let place = |id: &AgentId| match self.lives.get(id.0 as usize) {
            Some(life) if !draw.rarely(4) => {
                self.ground.near(draw, life.places[life.places.len() - 1].1, 2.0)
            }
            _ => self.ground.place(draw),
        };
        let places: Vec<_> = ids.iter().map(place).collect();
        let usable = places.iter().all(|place| self.ground.fits(*place));
        let allowed = usable && self.can_end(&ids, &steps);
        let before = self.history.clone();
        let answer = self.history.advance(&ids, &steps, &places);
        self.judge(answer, allowed, &before);
        for ((id, step), place) in ids.iter().zip(steps).zip(places).filter(|_| allowed) {
            let life = &mut self.lives[id.0 as usize];
            if life.places[life.places.len() - 1].1 != place {
                life.places.push((step, place));
            }
        }
    }

    fn remove(&mut self, draw: &mut Draw) {
        let (ids, steps) = self.moves(draw);
        let allowed = self.can_end(&ids, &steps);
        let before = self.history.clone();
        let answer = self.history.remove(&ids, &steps);
        self.judge(answer, allowed, &before);
        for (id, step) in ids.iter().zip(steps).filter(|_| allowed) {
            self.lives[id.0 as usize].gone = step;
        }
    }

    fn add(&mut self, draw: &mut Draw) {
        let (place, step) = (self.ground.place(draw), draw.step(self.oldest));
        if self.lives.len() >= AGENTS_MAX {
            return;
        }
        let allowed = self.ground.fits(place) && (self.oldest..Step::MAX).contains(&step);
        let before = self.history.clone();
        let answer = self.history.add(place, step);
        if allowed {
            assert_eq!(answer, Ok(AgentId(self.lives.len() as u32)));
            self.lives.push(Life { places: vec![(step, place)], gone: Step::MAX });
        }
        self.judge(answer.map(|_| ()), allowed, &before);
    }

    fn judge(&self, answer: Result<(), Error>, allowed: bool, before: &History<G::Space>) {
        assert_eq!(answer.is_ok(), allowed, "{answer:?}");
        if let Err(error) = answer {
            assert!(error.to_string().len() > 20, "{error}");
            let seen = |history: &History<G::Space>| {
                let ids = (0..history.agents_joined() as u32).map(AgentId);
                let last = ids.map(|id| history.position(id, Step::MAX - 1)).collect::<Vec<_>>();
                (history.versions(), history.oldest(), last)
            };
            assert_eq!(seen(before), seen(&self.history), "after {error}");
        }
    }

    fn near(&self, place: Place<G>, step: Step, radius: f64) -> Vec<AgentId> {
        let space = self.ground.space();
        // Where no path leads nobody is near, however large the radius.
        let is_near = |at| {
            let distance = space.distance(place, at);
            distance.is_finite() && distance <= radius
        };
        let ids = (0..self.lives.len() as u32).map(AgentId);
        ids.filter(|id| self.lives[id.0 as usize].at(step).is_some_and(is_near)).collect()
    }

    fn check(&self, draw: &mut Draw) {
        let history = &self.history;
        history.validate().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((history.oldest(), history.agents_joined()), (self.oldest, self.lives.len()));
        let ends = self
            .lives
            .iter()
            .flat_map(|life| life.places.iter().skip(1).map(|(from, _)| *from).chain([life.gone]));
        let kept = ends.filter(|until| *until > self.oldest).count();
        assert_eq!(history.versions(), kept, "versions kept");
        let (place, step, radius) = (self.ground.place(draw), draw.step(self.oldest), radius(draw));
        let askable = (self.oldest..Step::MAX).contains(&step);
        let mut found = vec![AgentId(99)];
        let answer = history.near(place, step, radius, &mut found);
        if askable && self.ground.fits(place) {
            assert_eq!(answer, Ok(()));
            assert_eq!(found, self.near(place, step, radius), "near {place:?}, {step}, {radius}");
        } else {
            assert!(answer.is_err(), "{place:?} at {step}");
            assert_eq!(found, [AgentId(99)], "a refused call has a list of its own");
        }
        for (agent, life) in self.lives.iter().enumerate() {
            let id = AgentId(agent as u32);
            let at = life.at(step).filter(|_| askable);
            assert_eq!(history.position(id, step).ok(), at, "agent {id} at {step}");
            let answer = history.neighbours(id, step, radius, &mut found);
            assert_eq!(answer.is_ok(), at.is_some());
            if let Some(at) = at {
                let mut others = self.near(at, step, radius);
                others.retain(|other| *other != id);
                assert_eq!(found, others, "near {id} at {step}, {radius}");
            }
        }
    }
}

/// Sometimes none at all: a search with it finds nobody, or everybody.
fn radius(draw: &mut Draw) -> f64 {
    match draw.below(16) {
        15 => draw.wild_real(),
        n => f64::from(n) / 2.0,
    }
}
