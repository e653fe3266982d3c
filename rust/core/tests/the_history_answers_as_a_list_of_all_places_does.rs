//! After every event of random runs (moves, joins, leaves, forgetting, in which agents are at
//! different steps), a history finds exactly whom a look at every place ever taken finds, refuses
//! what cannot be known, and keeps no version that nobody may ask about.

use headway_core::{AgentId, Error, Graph, Grid, History, Metric, Plane, Space, Step};
use headway_proof::ground::{Axes, Ground, Home, METRICS, Place};
use headway_proof::random::Random;

/// An agent's places, each with its first step, and the step it was gone at.
struct Life {
    places: Vec<(Step, Place)>,
    gone: Step,
}

impl Life {
    fn at(&self, step: Step) -> Option<Place> {
        let held = self.places.iter().rev().find(|(from, _)| *from <= step);
        held.filter(|_| step < self.gone).map(|(_, place)| *place)
    }

    fn since(&self) -> Step {
        self.places.last().unwrap().0
    }
}

struct Run<S: Home> {
    random: Random,
    history: History<S>,
    lives: Vec<Life>,
    axes: Axes,
    ground: Ground,
    oldest: Step,
}

impl<S: Home> Run<S> {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let metric = METRICS[random.below(3) as usize];
        let size = [6.0, 20.0, 300.0][random.below(3) as usize];
        let axes = Axes { metric, size: [size, size + 3.0], wrapped: random.chance(3) };
        let ground = S::draw(&mut random, axes);
        let space = S::of(&ground);
        let mut run = Self {
            history: History::new(space.clone(), &[], 1.0).unwrap(),
            lives: Vec::new(),
            random,
            axes,
            ground,
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

    fn place(&mut self) -> Place {
        if let Ground::Graph(_) = self.ground {
            return self.ground.anywhere(&mut self.random);
        }
        let Axes { size: [size, _], wrapped, .. } = self.axes;
        [0, 1].map(|axis| {
            let most = self.axes.wrap().map_or(size, |w| w[axis] - 1.0);
            let x = S::length(&mut self.random, most as i64);
            if wrapped { x } else { x - (size / 2.0).floor() }
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

    fn near(&self, place: Place, step: Step, radius: f64) -> Vec<AgentId> {
        (0..self.lives.len())
            .filter(|&a| {
                self.lives[a].at(step).is_some_and(|at| self.ground.distance(place, at) <= radius)
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

fn many<S: Home>(first_seed: u64) {
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

#[test]
fn who_stands_at_the_very_edge_of_a_radius_is_within_it_and_nobody_beyond() -> Result<(), Error> {
    let found = |found: Result<Vec<AgentId>, Error>| found.map(|ids| ids.len());
    // Roots are no whole numbers, and somebody far away makes the index deep.
    let grid = Grid::new(Metric::Euclidean, None).unwrap();
    let tiles = History::new(grid, &[[1, 1], [2, 1], [900, 900]], 4.0)?;
    let near = |radius: f64| {
        let mut ids = Vec::new();
        tiles.near([0, 0], 0, radius, &mut ids).map(|()| ids)
    };
    for (squares, count) in [(2.0_f64, 1), (5.0, 2)] {
        assert_eq!(found(near(squares.sqrt()))?, count);
        assert_eq!(found(near(squares.sqrt().next_down()))?, count - 1);
    }
    for metric in METRICS {
        let plane = Plane::new(metric, None).unwrap();
        let places = [[0.1, 0.0], [0.3, 0.0], [900.0, 900.0]];
        let places = History::new(plane, &places, 4.0)?;
        let near = |radius: f64| {
            let mut ids = Vec::new();
            places.near([0.1, 0.0], 0, radius, &mut ids).map(|()| ids)
        };
        assert_eq!(found(near(0.0))?, 1, "somebody stands right there");
        // The scheduler's bounds lean to the safe side; what is seen does not.
        let apart = plane.distance([0.1, 0.0], [0.3, 0.0]);
        assert_eq!(found(near(apart))?, 2);
        assert_eq!(found(near(apart.next_down()))?, 1);
    }
    Ok(())
}
