//! After every event of random runs (moves, joins, leaves, forgetting, in which agents are at
//! different steps), a history finds exactly whom a look at every place ever taken finds, refuses
//! what cannot be known, and keeps no version that nobody may ask about.

mod common;

use common::{METRICS, Random, distance};
use headway_core::{AgentId, Error, Graph, Grid, History, Metric, Plane, Space, Step};

type Hops = Option<Vec<Vec<f64>>>;

trait Space2: Space + Sized {
    /// With the hops between all nodes, where it has nodes.
    fn make(random: &mut Random, metric: Metric, wrap: Option<[f64; 2]>) -> (Self, Hops);
    fn position(at: [f64; 2]) -> Self::Position;
    /// Whole on a grid.
    fn number(random: &mut Random, most: i64) -> f64;
}

impl Space2 for Grid {
    fn make(_: &mut Random, metric: Metric, wrap: Option<[f64; 2]>) -> (Self, Hops) {
        (Self::new(metric, wrap.map(|w| w.map(|s| s as i32))).unwrap(), None)
    }
    fn position(at: [f64; 2]) -> [i32; 2] {
        at.map(|x| x as i32)
    }
    fn number(random: &mut Random, most: i64) -> f64 {
        random.between(0, most) as f64
    }
}

impl Space2 for Plane {
    fn make(_: &mut Random, metric: Metric, wrap: Option<[f64; 2]>) -> (Self, Hops) {
        (Self::new(metric, wrap).unwrap(), None)
    }
    fn position(at: [f64; 2]) -> [f64; 2] {
        at
    }
    fn number(random: &mut Random, most: i64) -> f64 {
        random.unit() * most as f64
    }
}

impl Space2 for Graph {
    fn make(random: &mut Random, _: Metric, _: Option<[f64; 2]>) -> (Self, Hops) {
        let (graph, hops) = common::random_graph(random);
        (graph, Some(hops))
    }
    fn position(at: [f64; 2]) -> u32 {
        at[0] as u32
    }
    fn number(random: &mut Random, most: i64) -> f64 {
        random.between(0, most) as f64
    }
}

/// An agent's places, each with its first step, and the step it was gone at.
struct Life {
    places: Vec<(Step, [f64; 2])>,
    gone: Step,
}

impl Life {
    fn at(&self, step: Step) -> Option<[f64; 2]> {
        let held = self.places.iter().rev().find(|(from, _)| *from <= step);
        held.filter(|_| step < self.gone).map(|(_, place)| *place)
    }

    fn since(&self) -> Step {
        self.places.last().unwrap().0
    }
}

struct Run<S: Space2> {
    random: Random,
    history: History<S>,
    lives: Vec<Life>,
    metric: Metric,
    wrap: Option<[f64; 2]>,
    hops: Hops,
    size: f64,
    oldest: Step,
}

impl<S: Space2> Run<S> {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let metric = METRICS[random.below(3) as usize];
        let size = [6.0, 20.0, 300.0][random.below(3) as usize];
        let wrap = random.chance(3).then_some([size, size + 3.0]);
        let (space, hops) = S::make(&mut random, metric, wrap);
        let mut run = Self {
            history: History::new(space.clone(), &[], 1.0).unwrap(),
            lives: Vec::new(),
            random,
            metric,
            wrap,
            hops,
            size,
            oldest: 0,
        };
        let agents = run.random.below(9);
        let starts: Vec<_> = (0..agents).map(|_| run.place()).collect();
        let places: Vec<_> = starts.iter().map(|place| S::position(*place)).collect();
        let radius = run.random.below(8) as f64 / 2.0;
        run.history = History::new(space, &places, radius).unwrap();
        let lives = starts.iter().map(|place| Life { places: vec![(0, *place)], gone: Step::MAX });
        run.lives = lives.collect();
        run
    }

    fn place(&mut self) -> [f64; 2] {
        if let Some(hops) = &self.hops {
            return [self.random.below(hops.len() as u64) as f64, 0.0];
        }
        [0, 1].map(|axis| {
            let most = self.wrap.map_or(self.size, |w| w[axis] - 1.0);
            let x = S::number(&mut self.random, most as i64);
            if self.wrap.is_some() { x } else { x - (self.size / 2.0).floor() }
        })
    }

    fn someone_there(&mut self) -> Option<usize> {
        let there: Vec<_> =
            (0..self.lives.len()).filter(|&a| self.lives[a].gone == Step::MAX).collect();
        (!there.is_empty()).then(|| there[self.random.below(there.len() as u64) as usize])
    }

    /// A step after this agent's last move that is not forgotten.
    fn later(&mut self, agent: usize) -> Step {
        (self.lives[agent].since() + 1).max(self.oldest) + self.random.below(4) as Step
    }

    fn event(&mut self) {
        match self.random.below(12) {
            0 => {
                let (place, step) = (self.place(), self.oldest + self.random.below(9) as Step);
                let id = self.history.add(S::position(place), step).unwrap();
                assert_eq!(id.0 as usize, self.lives.len());
                self.lives.push(Life { places: vec![(step, place)], gone: Step::MAX });
            }
            1 => {
                let Some(agent) = self.someone_there() else { return };
                let step = self.later(agent);
                self.history.remove(&[AgentId(agent as u32)], &[step]).unwrap();
                self.lives[agent].gone = step;
            }
            2 => {
                // As a scheduler does: nobody asks for what everybody has passed.
                let there = self.lives.iter().filter(|life| life.gone == Step::MAX);
                let frontier = there.map(Life::since).min().unwrap_or(self.oldest);
                self.oldest = self.oldest.max(frontier);
                self.history.forget(frontier);
            }
            _ => self.move_some(),
        }
    }

    fn move_some(&mut self) {
        let (mut ids, mut steps, mut places) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..=self.random.below(3) {
            let Some(agent) = self.someone_there() else { return };
            if ids.contains(&AgentId(agent as u32)) {
                continue;
            }
            let step = self.later(agent);
            let stays = self.random.chance(3);
            let place =
                if stays { self.lives[agent].places.last().unwrap().1 } else { self.place() };
            ids.push(AgentId(agent as u32));
            steps.push(step);
            places.push(place);
        }
        let given: Vec<_> = places.iter().map(|place| S::position(*place)).collect();
        self.history.advance(&ids, &steps, &given).unwrap();
        for ((id, step), place) in ids.iter().zip(steps).zip(places) {
            let life = &mut self.lives[id.0 as usize];
            if life.places.last().unwrap().1.map(f64::to_bits) != place.map(f64::to_bits) {
                life.places.push((step, place));
            }
        }
    }

    fn distance(&self, p: [f64; 2], q: [f64; 2]) -> f64 {
        match &self.hops {
            Some(hops) => hops[p[0] as usize][q[0] as usize],
            None => distance(self.metric, self.wrap, p, q),
        }
    }

    fn near(&self, place: [f64; 2], step: Step, radius: f64) -> Vec<AgentId> {
        (0..self.lives.len())
            .filter(|&a| {
                self.lives[a].at(step).is_some_and(|at| self.distance(place, at) <= radius)
            })
            .map(|a| AgentId(a as u32))
            .collect()
    }

    fn check(&mut self) {
        self.history.validate().unwrap();
        // A version is kept exactly while a step from the oldest on falls into it.
        let kept: usize = self
            .lives
            .iter()
            .map(|life| {
                let ends = life.places.iter().skip(1).map(|(from, _)| *from).chain([life.gone]);
                ends.filter(|until| *until > self.oldest).count()
            })
            .sum();
        assert_eq!(self.history.versions(), kept);
        let step = self.oldest + self.random.below(14) as Step;
        let radius = self.random.below(60) as f64 / 4.0;
        let place = self.place();
        let mut found = vec![AgentId(99)];
        self.history.near(S::position(place), step, radius, &mut found).unwrap();
        assert_eq!(found, self.near(place, step, radius), "near {place:?} at {step}, {radius}");
        for agent in 0..self.lives.len() {
            let id = AgentId(agent as u32);
            let life = &self.lives[agent];
            let answer = self.history.neighbours(id, step, radius, &mut found);
            if let Some(at) = life.at(step) {
                answer.unwrap();
                assert_eq!(self.history.position(id, step).unwrap(), S::position(at));
                let mut others = self.near(at, step, radius);
                others.retain(|other| *other != id);
                assert_eq!(found, others, "near {id} at {step}, {radius}");
            } else {
                let gone = life.gone;
                let expected = if step >= gone {
                    Error::Gone { agent: id, step, gone }
                } else {
                    Error::NotYetThere { agent: id, step, first: life.places[0].0 }
                };
                assert_eq!(answer, Err(expected.clone()));
                assert_eq!(self.history.position(id, step), Err(expected));
            }
        }
        if let Some(step) = self.oldest.checked_sub(1) {
            let forgotten = Error::Forgotten { step, oldest: self.oldest };
            assert_eq!(
                self.history.near(S::position(place), step, 1.0, &mut found),
                Err(forgotten)
            );
        }
    }
}

fn many<S: Space2>(first_seed: u64) {
    let number = |name: &str| std::env::var(name).ok().and_then(|s| s.parse::<u64>().ok());
    let seeds = number("HEADWAY_SEEDS").unwrap_or(200);
    let only = number("HEADWAY_SEED");
    for seed in only.map_or(first_seed..first_seed + seeds, |seed| seed..seed + 1) {
        let outcome = std::panic::catch_unwind(|| {
            let mut run = Run::<S>::new(seed);
            for _ in 0..150 {
                run.event();
                run.check();
            }
        });
        if let Err(panic) = outcome {
            eprintln!("replay with: HEADWAY_SEED={seed}");
            std::panic::resume_unwind(panic);
        }
    }
}

#[test]
fn a_history_on_a_grid_equals_the_list() {
    many::<Grid>(0);
}

#[test]
fn a_history_on_a_plane_equals_the_list() {
    many::<Plane>(1_000_000);
}

#[test]
fn a_history_on_a_graph_equals_the_list() {
    many::<Graph>(2_000_000);
}

#[test]
fn one_who_walks_while_all_is_forgotten_behind_it_keeps_two_versions() {
    let grid = Grid::new(Metric::Chebyshev, None).unwrap();
    let mut history = History::new(grid, &[[0, 0], [5, 5]], 4.0).unwrap();
    for step in 1..10_000 {
        history.advance(&[AgentId(0)], &[step], &[[step as i32, 0]]).unwrap();
        history.forget(step - 1);
        assert!(history.versions() <= 3);
    }
    history.validate().unwrap();
}

#[test]
fn forgetting_all_there_is_keeps_where_everybody_stands() {
    let grid = Grid::new(Metric::Chebyshev, None).unwrap();
    let mut history = History::new(grid, &[[0, 0], [5, 5]], 4.0).unwrap();
    history.remove(&[AgentId(1)], &[7]).unwrap();
    history.forget(Step::MAX);
    history.validate().unwrap();
    assert_eq!((history.oldest(), history.versions()), (Step::MAX - 1, 1));
    assert_eq!(history.position(AgentId(0), Step::MAX - 1), Ok([0, 0]));
    assert!(history.advance(&[AgentId(0)], &[Step::MAX], &[[1, 0]]).is_err());
}

#[test]
fn a_refused_batch_changes_nothing() {
    let grid = Grid::new(Metric::Chebyshev, None).unwrap();
    let mut history = History::new(grid, &[[0, 0], [5, 5]], 4.0).unwrap();
    let (first, second, third) = (AgentId(0), AgentId(1), AgentId(2));
    history.advance(&[first], &[3], &[[1, 0]]).unwrap();
    history.forget(2);
    let too_far = [Grid::LIMIT + 1, 0];
    for (id, step, place) in [
        (third, 4, [0, 0]),
        (first, 3, [2, 0]),
        (first, 1, [2, 0]),
        (first, 4, too_far),
        (first, Step::MAX, [2, 0]),
        (second, 4, [2, 0]),
    ] {
        let before = history.versions();
        assert!(history.advance(&[second, id], &[4, step], &[[6, 6], place]).is_err());
        assert_eq!(history.versions(), before);
        assert_eq!(history.position(second, 9), Ok([5, 5]));
        if place != too_far {
            assert!(history.remove(&[second, id], &[4, step]).is_err());
            assert_eq!(history.position(second, 9), Ok([5, 5]));
        }
        history.validate().unwrap();
    }
    history.remove(&[second], &[4]).unwrap();
    let gone = Error::Gone { agent: second, step: 7, gone: 4 };
    assert_eq!(history.advance(&[second], &[7], &[[6, 6]]), Err(gone.clone()));
    assert_eq!(history.remove(&[second], &[7]), Err(gone));
    assert_eq!(history.add([0, 0], 1), Err(Error::Forgotten { step: 1, oldest: 2 }));
}
