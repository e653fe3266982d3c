//! After every event of random runs, the indexed scheduler has exactly the ready agents that the
//! rules written out over all pairs allow, and somebody can always go.

use headway_core::{
    AgentId, Error, Footprint, Graph, Grid, NewAgent, Plane, Rule, Scheduler, Step,
};
use headway_proof::ground::{Axes, Ground, Home, METRICS, Place};
use headway_proof::random::Random;
use headway_proof::twin::{Rules, Twin, TwinAgent};

struct Run<S: Home> {
    random: Random,
    scheduler: Scheduler<S>,
    twin: Twin<'static>,
    rule: Rule,
    axes: Axes,
    running: Vec<Vec<usize>>,
    lead_max: Step,
    spawned: u64,
}

fn footprint<S: Home>(random: &mut Random) -> Footprint {
    let speed = S::length(random, 2);
    Footprint { sight: S::length(random, 5), reach: speed + S::length(random, 2), speed }
}

impl<S: Home> Run<S> {
    fn new(seed: u64, rule: Rule) -> Self {
        let mut random = Random(seed);
        let metric = METRICS[random.below(3) as usize];
        // Small crowded worlds, large empty ones, far corners, negative coordinates.
        let size = [6.0, 20.0, 60.0][random.below(3) as usize];
        let axes = Axes { metric, size: [size, size + 3.0], wrapped: random.chance(3) };
        let uniform = random.chance(2).then(|| footprint::<S>(&mut random));
        let worlds = 1 + random.below(2) as u32;
        let ground = S::draw(&mut random, axes);
        let mut agents = Vec::new();
        for _ in 0..=random.below(13) {
            let position = Self::place(&mut random, &axes, &ground);
            let footprint = uniform.unwrap_or_else(|| footprint::<S>(&mut random));
            let world = random.below(u64::from(worlds)) as u32;
            agents.push(TwinAgent { world, ..TwinAgent::new(position, footprint, 0) });
        }
        // The compatibility rule uses the largest of the first agents' footprints for all.
        let widest = agents.iter().map(|a| a.footprint).reduce(|a, b| a.union(&b)).unwrap();
        let rules = match rule {
            Rule::Conservative => Rules::conservative(S::LEAN),
            Rule::Compatibility => Rules::compatibility(widest, S::LEAN),
        };
        let new: Vec<_> = agents.iter().map(Self::newcomer).collect();
        let scheduler = Scheduler::new(S::of(&ground), rule, &new, 100).unwrap();
        let twin = Twin { rules, ground, agents };
        Self { random, scheduler, twin, rule, axes, running: Vec::new(), lead_max: 0, spawned: 0 }
    }

    fn place(random: &mut Random, axes: &Axes, ground: &Ground) -> Place {
        if let Ground::Graph(_) = ground {
            return ground.anywhere(random);
        }
        let [size, _] = axes.size;
        [0, 1].map(|axis| {
            let x = S::length(random, axes.wrap().map_or(size, |w| w[axis] - 1.0) as i64);
            if axes.wrapped { x } else { x - (size / 2.0).floor() }
        })
    }

    fn any_place(&mut self) -> Place {
        Self::place(&mut self.random, &self.axes, &self.twin.ground)
    }

    fn newcomer(agent: &TwinAgent) -> NewAgent<S::Position> {
        NewAgent {
            position: S::position(agent.position),
            footprint: agent.footprint,
            world: agent.world,
        }
    }

    /// A random place at most `speed` away.
    fn step_from(&mut self, a: usize) -> Place {
        let TwinAgent { position, footprint, .. } = self.twin.agents[a];
        let speed = footprint.speed;
        for _ in 0..20 {
            if let Ground::Graph(_) = self.twin.ground {
                let to = self.any_place();
                if self.twin.ground.distance(position, to) <= speed {
                    return to;
                }
                continue;
            }
            let to = [0, 1].map(|axis| {
                let x = position[axis] + S::length(&mut self.random, 2 * speed.ceil() as i64)
                    - speed.ceil();
                self.axes.wrap().map_or(x, |w| x.rem_euclid(w[axis]))
            });
            if self.twin.ground.distance(position, to) <= speed {
                return to;
            }
        }
        position
    }

    fn start_some(&mut self) {
        let mut ready = self.twin.ready();
        self.random.shuffle(&mut ready);
        let mut batch: Vec<usize> = Vec::new();
        for _ in 0..=self.random.below(3) {
            if let Some(id) = ready.pop()
                && !batch.contains(&(id.0 as usize))
            {
                let cluster = self.twin.cluster(id.0 as usize);
                batch.extend(&cluster);
                self.running.push(cluster);
            }
        }
        let ids: Vec<_> = batch.iter().map(|&a| AgentId(a as u32)).collect();
        self.scheduler.start(&ids).unwrap();
        for a in batch {
            self.twin.agents[a].running = true;
        }
    }

    fn finish_some(&mut self) {
        let before = self.scheduler.ready();
        let (mut ids, mut positions) = (Vec::new(), Vec::new());
        for _ in 0..=self.random.below(2) {
            if self.running.is_empty() {
                break;
            }
            let at = self.random.below(self.running.len() as u64) as usize;
            for a in self.running.swap_remove(at) {
                let to = self.step_from(a);
                ids.push(AgentId(a as u32));
                positions.push(S::position(to));
                let agent = &mut self.twin.agents[a];
                (agent.position, agent.clock, agent.running) = (to, agent.clock + 1, false);
            }
        }
        let mut newly = Vec::new();
        self.scheduler.finish(&ids, &positions, &mut newly).unwrap();
        self.check_newly(before, newly);
    }

    /// The newly ready agents are those ready now that were not before.
    fn check_newly(&self, mut before: Vec<AgentId>, newly: Vec<AgentId>) {
        let present = |id: &AgentId| self.twin.agents[id.0 as usize].present;
        before.retain(present);
        before.extend(newly);
        before.sort_unstable();
        let mut now = self.scheduler.ready();
        now.sort_unstable();
        assert_eq!(before, now);
    }

    fn join_or_leave(&mut self) {
        let before = self.scheduler.ready();
        let mut newly = Vec::new();
        if self.random.chance(2) {
            let idle: Vec<_> = (0..self.twin.agents.len())
                .filter(|&a| self.twin.agents[a].present && !self.twin.agents[a].running)
                .collect();
            if idle.is_empty() {
                return;
            }
            let a = idle[self.random.below(idle.len() as u64) as usize];
            self.scheduler.remove(&[AgentId(a as u32)], &mut newly).unwrap();
            self.twin.agents[a].present = false;
        } else {
            let like = self.random.below(self.twin.agents.len() as u64) as usize;
            let mut agent = self.twin.agents[like].clone();
            agent.position = self.any_place();
            let newcomer = Self::newcomer(&agent);
            // Some join later than they must, and others then before them.
            let later = (self.random.below(2) * self.random.below(9)) as Step;
            let at = self.scheduler.earliest_join(&newcomer).unwrap() + later;
            match self.scheduler.add(&newcomer, Some(at), &mut newly) {
                Ok((_, step)) => {
                    (agent.clock, agent.running, agent.present) = (step, false, true);
                    self.twin.agents.push(agent);
                }
                Err(error) => assert!(matches!(error, Error::JoinsAhead { .. }), "{error}"),
            }
            return;
        }
        self.check_newly(before, newly);
    }

    /// Somebody who executes a step brings another about, if that may stand there.
    fn spawn(&mut self) {
        let before = self.scheduler.ready();
        let running: Vec<_> = self.running.iter().flatten().copied().collect();
        if running.is_empty() || self.twin.agents.len() > 40 {
            return;
        }
        let parent = running[self.random.below(running.len() as u64) as usize];
        let TwinAgent { position, footprint: own, world, clock, .. } = self.twin.agents[parent];
        let near = self.step_from(parent);
        let place = match self.random.below(3) {
            0 => position,
            1 => near,
            _ => self.any_place(),
        };
        let mut child = footprint::<S>(&mut self.random);
        if self.random.chance(2) {
            child = Footprint { sight: child.sight, ..own };
        }
        let id = AgentId(parent as u32);
        let answer = self.scheduler.spawn(id, S::position(place), child);
        self.check_newly(before, Vec::new());
        let rounding = 100.0 * S::LEAN;
        let away = self.twin.ground.distance(position, place);
        let excess = self.twin.child_too_near(parent, &child, away);
        match answer {
            Ok(id) => {
                assert_eq!(self.rule, Rule::Conservative);
                assert!(excess <= rounding, "{id} stands {excess} too near");
                assert_eq!(id.0 as usize, self.twin.agents.len());
                let child = TwinAgent::new(place, child, clock + 1);
                self.twin.agents.push(TwinAgent { world, ..child });
                self.spawned += 1;
            }
            Err(Error::SpawnInPlace { .. }) => {
                assert_eq!(self.rule, Rule::Compatibility);
            }
            Err(Error::SpawnTooFast { .. }) => {
                assert!(child.speed > own.speed && (excess > 0.0 || S::LEAN > 0.0));
            }
            Err(Error::SpawnTooFar { .. }) => assert!(excess > -rounding, "refused for {excess}"),
            Err(error) => panic!("{error}"),
        }
    }

    fn check(&mut self) {
        self.scheduler.validate().unwrap();
        let mut ready = self.scheduler.ready();
        ready.sort_unstable();
        assert_eq!(ready, self.twin.ready(), "ready agents");
        let present: Vec<_> = self.twin.agents.iter().filter(|a| a.present).collect();
        assert!(
            present.is_empty() || !ready.is_empty() || !self.running.is_empty(),
            "nobody can go"
        );
        if let Some(frontier) = present.iter().map(|a| a.clock).min() {
            assert_eq!(self.scheduler.frontier(), frontier);
            let ahead = present.iter().map(|a| a.clock).max().unwrap_or(frontier);
            self.lead_max = self.lead_max.max(ahead - frontier);
        }
        for a in 0..self.twin.agents.len() {
            if self.twin.agents[a].present {
                let id = AgentId(a as u32);
                assert_eq!(self.scheduler.blockers(id).unwrap(), self.twin.blockers(a));
            }
        }
    }

    fn go(mut self, events: usize) -> (Step, u64) {
        self.check();
        for _ in 0..events {
            match self.random.below(20) {
                0 => self.join_or_leave(),
                1 => self.spawn(),
                2..=9 => self.start_some(),
                _ => self.finish_some(),
            }
            self.check();
        }
        (self.lead_max, self.spawned)
    }
}

fn many<S: Home>(rule: Rule, first_seed: u64) {
    let seeds: u64 =
        std::env::var("HEADWAY_SEEDS").ok().and_then(|s| s.parse().ok()).unwrap_or(150);
    let only = std::env::var("HEADWAY_SEED").ok().and_then(|s| s.parse::<u64>().ok());
    let (mut overtook, mut children) = (0, 0);
    for seed in only.map_or(first_seed..first_seed + seeds, |seed| seed..seed + 1) {
        let outcome = std::panic::catch_unwind(|| Run::<S>::new(seed, rule).go(120));
        match outcome {
            Ok((lead, spawned)) => {
                overtook += u64::from(lead > 1);
                children += spawned;
            }
            Err(panic) => {
                eprintln!(
                    "replay with: HEADWAY_SEED={seed} cargo test -p headway-proof --test twin"
                );
                std::panic::resume_unwind(panic);
            }
        }
    }
    assert!(only.is_some() || overtook * 2 > seeds, "in {overtook} of {seeds} runs somebody led");
    assert!(
        only.is_some() || rule == Rule::Compatibility || children > seeds,
        "{children} children"
    );
}

#[test]
fn conservative_on_a_grid_equals_the_twin() {
    many::<Grid>(Rule::Conservative, 0);
}

#[test]
fn conservative_on_a_plane_equals_the_twin() {
    many::<Plane>(Rule::Conservative, 1_000_000);
}

#[test]
fn compatibility_on_a_grid_equals_the_twin() {
    many::<Grid>(Rule::Compatibility, 2_000_000);
}

#[test]
fn compatibility_on_a_plane_equals_the_twin() {
    many::<Plane>(Rule::Compatibility, 3_000_000);
}

#[test]
fn conservative_on_a_graph_equals_the_twin() {
    many::<Graph>(Rule::Conservative, 4_000_000);
}

#[test]
fn compatibility_on_a_graph_equals_the_twin() {
    many::<Graph>(Rule::Compatibility, 5_000_000);
}
