//! Any calls of a scheduler, in any order and with any numbers: none panics, each is refused or
//! carried out exactly as the rule over all pairs says, and a refused one changes nothing.

use headway_core::rule::spawning_bound;
use headway_core::{AgentId, Error, Footprint, NewAgent, Rule, Scheduler, Space, Status, Step};

use super::draw::Draw;
use super::ground::{Field, Ground, Net, Tiles};
use super::pairs::{Pairs, Person};

/// More calls or agents would make an input slow, not stranger.
const CALLS_MAX: usize = 100;
const AGENTS_MAX: usize = 24;

type Place<G> = <<G as Ground>::Space as Space>::Position;

/// Runs one input.
///
/// # Panics
/// Where the scheduler does anything that it must not.
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
    run.check();
    for _ in 0..CALLS_MAX {
        if draw.is_empty() {
            return;
        }
        run.call(&mut draw);
        run.check();
    }
}

struct Run<G: Ground> {
    scheduler: Scheduler<G::Space>,
    pairs: Pairs<G>,
}

impl<G: Ground> Run<G> {
    fn new(ground: G, draw: &mut Draw) -> Option<Self> {
        let rule = draw.one_of(&[Rule::Conservative, Rule::Compatibility]);
        let common = draw.rarely(2).then(|| footprint(&ground, draw));
        let agents: Vec<_> = (0..draw.below(9)).map(|_| newcomer(&ground, draw, common)).collect();
        let mut pairs = Pairs { ground, rule, people: Vec::new() };
        let usable = agents.iter().all(|agent| usable(&pairs, agent));
        let story = usize::from(draw.below(200));
        let scheduler = Scheduler::new(pairs.ground.space(), rule, &agents, story);
        assert_eq!(scheduler.is_ok(), usable, "{agents:?}: {:?}", scheduler.err());
        for agent in &agents {
            join(&mut pairs, agent, 0);
        }
        Some(Self { scheduler: scheduler.ok()?, pairs })
    }

    fn call(&mut self, draw: &mut Draw) {
        match draw.below(16) {
            0 => {
                let ids = self.any_ids(draw);
                self.start(&ids);
            }
            1 => {
                let ids = self.any_ids(draw);
                let places = ids.iter().map(|_| self.pairs.ground.place(draw)).collect();
                self.finish(&ids, places);
            }
            2 | 3 => self.add(draw),
            4 => self.spawn(draw),
            5 => {
                let ids = self.any_ids(draw);
                self.remove(&ids);
            }
            6 => self.ask(draw),
            7 => {
                let idle = self.those(|status| !matches!(status, Status::Running | Status::Left));
                let ids = some_of(draw, &idle);
                self.remove(&ids);
            }
            8..=10 => {
                let ready = self.those(|status| status == Status::Ready);
                self.start_parties(&some_of(draw, &ready));
            }
            11..=13 => {
                let running = self.those(|status| status == Status::Running);
                let chosen = some_of(draw, &running);
                self.finish_parties(draw, &chosen);
            }
            _ => {
                for _ in 0..=draw.below(3) {
                    self.start_parties(&self.those(|status| status == Status::Ready));
                    self.finish_parties(draw, &self.those(|status| status == Status::Running));
                }
            }
        }
    }

    /// Known and unknown ones, perhaps some twice.
    fn any_ids(&self, draw: &mut Draw) -> Vec<AgentId> {
        let known = self.pairs.people.len() as u8;
        let any = |draw: &mut Draw| match draw.below(16) {
            15 => draw.one_of(&[u32::from(known), u32::MAX, u32::MAX - 1, 1 << 31]),
            _ => u32::from(draw.below(known.max(1))),
        };
        (0..draw.below(5)).map(|_| AgentId(any(draw))).collect()
    }

    fn those(&self, which: impl Fn(Status) -> bool) -> Vec<AgentId> {
        let ids = (0..self.pairs.people.len() as u32).map(AgentId);
        ids.filter(|&id| which(self.scheduler.status(id).expect("known"))).collect()
    }

    fn person(&self, id: AgentId) -> Option<&Person<Place<G>>> {
        self.pairs.people.get(id.0 as usize)
    }

    /// Each once, and all that belong together.
    fn whole(ids: &[AgentId], party: impl Fn(AgentId) -> Vec<usize>) -> bool {
        let mut once = ids.to_vec();
        once.sort_unstable();
        once.dedup();
        let given = |a: &usize| ids.contains(&AgentId(*a as u32));
        once.len() == ids.len() && ids.iter().all(|&id| party(id).iter().all(given))
    }

    fn start_parties(&mut self, chosen: &[AgentId]) {
        let ids = together(chosen, |id| self.pairs.cluster(id.0 as usize));
        self.start(&ids);
    }

    fn start(&mut self, ids: &[AgentId]) {
        let statuses = self.pairs.statuses();
        let ready = |id: &AgentId| statuses.get(id.0 as usize) == Some(&Status::Ready);
        let allowed =
            ids.iter().all(ready) && Self::whole(ids, |id| self.pairs.cluster(id.0 as usize));
        let parties: Vec<_> = if allowed {
            ids.iter().map(|id| self.pairs.cluster(id.0 as usize)).collect()
        } else {
            Vec::new()
        };
        let before = self.scheduler.clone();
        let answer = self.scheduler.start(ids);
        self.judge(&answer, allowed, &before);
        for (id, party) in ids.iter().zip(parties) {
            let person = &mut self.pairs.people[id.0 as usize];
            (person.running, person.party) = (true, party);
        }
    }

    fn finish_parties(&mut self, draw: &mut Draw, chosen: &[AgentId]) {
        let ids = together(chosen, |id| self.pairs.people[id.0 as usize].party.clone());
        let near = |id: &AgentId| {
            let Person { position, footprint, .. } = &self.pairs.people[id.0 as usize];
            self.pairs.ground.near(draw, *position, footprint.speed)
        };
        let places = ids.iter().map(near).collect();
        self.finish(&ids, places);
    }

    fn finish(&mut self, ids: &[AgentId], places: Vec<Place<G>>) {
        let may_end = |(id, place): (&AgentId, &Place<G>)| {
            self.person(*id).is_some_and(|person| {
                let limit = person.footprint.speed * (1.0 - G::Space::SLACK / 2.0);
                person.running
                    && self.pairs.ground.fits(*place)
                    && person.clock < Step::MAX - 1
                    && self.pairs.ground.within(person.position, *place, limit)
            })
        };
        let allowed = ids.iter().zip(&places).all(may_end)
            && Self::whole(ids, |id| self.pairs.people[id.0 as usize].party.clone());
        let before = self.scheduler.clone();
        let mut newly = vec![AgentId(77)];
        let answer = self.scheduler.finish(ids, &places, &mut newly);
        self.judge(&answer, allowed, &before);
        if !allowed {
            assert_eq!(newly, [AgentId(77)], "a refused call has a list of its own");
            return;
        }
        for (id, place) in ids.iter().zip(places) {
            let person = &mut self.pairs.people[id.0 as usize];
            (person.position, person.running) = (place, false);
            person.clock += 1;
        }
        self.check_newly(&before, &newly);
    }

    fn remove(&mut self, ids: &[AgentId]) {
        let idle = |id: &AgentId| self.person(*id).is_some_and(|p| p.present && !p.running);
        let allowed = ids.iter().all(idle) && Self::whole(ids, |_| Vec::new());
        let before = self.scheduler.clone();
        let mut newly = vec![AgentId(77)];
        let answer = self.scheduler.remove(ids, &mut newly);
        self.judge(&answer, allowed, &before);
        if !allowed {
            assert_eq!(newly, [AgentId(77)], "a refused call has a list of its own");
            return;
        }
        for id in ids {
            self.pairs.people[id.0 as usize].present = false;
        }
        self.check_newly(&before, &newly);
    }

    fn add(&mut self, draw: &mut Draw) {
        let newcomer = self.like_others(draw);
        if self.pairs.people.len() >= AGENTS_MAX {
            return;
        }
        let (before, mut newly) = (self.scheduler.clone(), vec![AgentId(77)]);
        let earliest = self.scheduler.earliest_join(&newcomer);
        assert_eq!(earliest.is_ok(), usable(&self.pairs, &newcomer), "{newcomer:?}: {earliest:?}");
        let from = earliest.as_ref().map_or(0, |step| *step);
        let at = match draw.below(4) {
            0 | 1 => None,
            2 => Some(from.saturating_sub(1)),
            _ => Some(draw.step(from)),
        };
        let step = at.unwrap_or(from);
        let answer = self.scheduler.add(&newcomer, at, &mut newly);
        // Whether somebody behind would see it too early only the compatibility rule asks.
        let ahead = matches!(answer, Err(Error::JoinsAhead { .. }));
        let allowed = earliest.is_ok() && step >= from && step < Step::MAX;
        assert!(!ahead || allowed && self.pairs.rule == Rule::Compatibility, "{answer:?}");
        self.judge(&answer, allowed && !ahead, &before);
        let Ok(told) = answer else {
            assert_eq!(newly, [AgentId(77)], "a refused call has a list of its own");
            return;
        };
        assert_eq!(told, (AgentId(self.pairs.people.len() as u32), step));
        join(&mut self.pairs, &newcomer, step);
        let ready = self.scheduler.ready();
        assert!(newly.iter().all(|id| ready.contains(id)), "{newly:?} of {ready:?}");
    }

    fn spawn(&mut self, draw: &mut Draw) {
        let running = self.those(|status| status == Status::Running);
        let parent = match some_of(draw, &running).first() {
            Some(parent) if !draw.rarely(8) => *parent,
            _ => self.any_ids(draw).first().copied().unwrap_or(AgentId(0)),
        };
        let mut child = self.like_others(draw);
        let person = self.pairs.people.get(parent.0 as usize);
        if let Some(person) = person {
            if !draw.rarely(4) {
                child.footprint = person.footprint;
            }
            if !draw.rarely(4) {
                child.position =
                    self.pairs.ground.near(draw, person.position, person.footprint.reach);
            }
            child.world = person.world;
        }
        if self.pairs.people.len() >= AGENTS_MAX {
            return;
        }
        let allowed = person.is_some_and(|person| {
            let bound = spawning_bound(&person.footprint, &child.footprint);
            let near = |limit: f64| {
                let limit = limit * (1.0 - G::Space::SLACK / 2.0);
                self.pairs.ground.within(person.position, child.position, limit)
            };
            self.pairs.rule == Rule::Conservative
                && person.running
                && person.clock < Step::MAX - 1
                && usable(&self.pairs, &child)
                && bound.is_some_and(near)
        });
        let step = person.map_or(0, |person| person.clock.saturating_add(1));
        let before = self.scheduler.clone();
        let answer = self.scheduler.spawn(parent, child.position, child.footprint);
        self.judge(&answer, allowed, &before);
        if let Ok(id) = answer {
            assert_eq!(id, AgentId(self.pairs.people.len() as u32));
            join(&mut self.pairs, &child, step);
        }
    }

    /// Asks everything about somebody, known or not.
    fn ask(&self, draw: &mut Draw) {
        for id in self.any_ids(draw) {
            let person = self.person(id);
            let known = person.is_some();
            let scheduler = &self.scheduler;
            assert_eq!(scheduler.blockers(id).is_ok(), person.is_some_and(|p| p.present));
            assert_eq!(scheduler.clock(id).is_ok(), known);
            assert_eq!(scheduler.position(id).is_ok(), known);
            assert_eq!(scheduler.status(id).is_ok(), known);
            assert_eq!(scheduler.cluster(id).is_ok(), known);
            assert_eq!(scheduler.witness(id).is_ok(), known);
            assert_eq!(scheduler.held_up(id).is_ok(), known);
            let story = scheduler.story(id);
            assert_eq!(story.is_ok(), known);
            let story = story.unwrap_or_default();
            assert!(story.iter().all(|entry| entry.agent == id));
            assert!(story.is_sorted_by(|one, next| one.number < next.number));
        }
    }

    fn like_others(&self, draw: &mut Draw) -> NewAgent<Place<G>> {
        let common = match self.pairs.people.last() {
            Some(person) if draw.rarely(2) => Some(person.footprint),
            _ => None,
        };
        newcomer(&self.pairs.ground, draw, common)
    }

    /// Allowed is carried out; refused has a reason in words and changes nothing.
    fn judge<T: std::fmt::Debug>(
        &self,
        answer: &Result<T, Error>,
        allowed: bool,
        before: &Scheduler<G::Space>,
    ) {
        assert_eq!(answer.is_ok(), allowed, "{answer:?}");
        if let Err(error) = answer {
            assert!(!matches!(error, Error::Invariant { .. }), "{error}");
            assert!(error.to_string().len() > 20, "{error}");
            assert_eq!(seen(before), seen(&self.scheduler), "after {error}");
        }
    }

    /// The newly ready are those ready now that were not before.
    fn check_newly(&self, before: &Scheduler<G::Space>, newly: &[AgentId]) {
        let mut all = before.ready();
        all.retain(|id| self.pairs.people[id.0 as usize].present);
        all.extend(newly);
        all.sort_unstable();
        let mut now = self.scheduler.ready();
        now.sort_unstable();
        assert_eq!(all, now, "newly ready: {newly:?}");
    }

    fn check(&self) {
        let scheduler = &self.scheduler;
        scheduler.validate().unwrap_or_else(|error| panic!("{error}"));
        let people = &self.pairs.people;
        assert_eq!(scheduler.agents_joined(), people.len());
        let statuses = self.pairs.statuses();
        for (a, person) in people.iter().enumerate() {
            let id = AgentId(a as u32);
            assert_eq!(scheduler.status(id).as_ref(), Ok(&statuses[a]), "agent {id}");
            assert_eq!(scheduler.clock(id), Ok(person.clock));
            assert_eq!(scheduler.position(id), Ok(person.position));
            if person.present {
                assert_eq!(scheduler.blockers(id), Ok(self.pairs.blockers(a)), "of agent {id}");
            }
        }
        let ready = scheduler.ready();
        assert!(ready.is_sorted_by_key(|id| people[id.0 as usize].clock), "{ready:?}");
        let mut sorted = ready;
        sorted.sort_unstable();
        assert_eq!(sorted, self.those(|status| status == Status::Ready));
        if let Some(frontier) = self.pairs.frontier() {
            assert_eq!(scheduler.frontier(), frontier);
            let can_go = |status| matches!(status, &Status::Ready | &Status::Running);
            assert!(statuses.iter().any(can_go), "nobody can go: {statuses:?}");
        }
    }
}

/// All that a caller can see.
fn seen<S: Space>(scheduler: &Scheduler<S>) -> String {
    let about = |id| {
        (
            (scheduler.status(id), scheduler.clock(id), scheduler.position(id)),
            (scheduler.witness(id), scheduler.held_up(id), scheduler.cluster(id)),
            scheduler.story(id),
        )
    };
    let agents: Vec<_> = (0..scheduler.agents_joined() as u32).map(AgentId).map(about).collect();
    format!("{:?} {} {agents:?}", scheduler.ready(), scheduler.frontier())
}

fn footprint<G: Ground>(ground: &G, draw: &mut Draw) -> Footprint {
    let speed = ground.length(draw);
    let reach = if draw.rarely(4) { ground.length(draw) } else { speed };
    Footprint { sight: ground.length(draw), reach, speed }
}

fn newcomer<G: Ground>(
    ground: &G,
    draw: &mut Draw,
    common: Option<Footprint>,
) -> NewAgent<Place<G>> {
    let position = ground.place(draw);
    let footprint = common.unwrap_or_else(|| footprint(ground, draw));
    let world = match draw.below(16) {
        0..=12 => 0,
        n @ (13 | 14) => u32::from(n) - 12,
        // The largest one that fits has a table of 64 MiB made, so it is left out.
        _ => draw.one_of(&[1 << 24, u32::MAX, 4095]),
    };
    NewAgent { position, footprint, world }
}

/// Whether somebody can join with such a place and footprint.
fn usable<G: Ground>(pairs: &Pairs<G>, agent: &NewAgent<Place<G>>) -> bool {
    let Footprint { sight, reach, speed } = agent.footprint;
    let length = |x: f64| {
        let whole = G::Space::SLACK > 0.0 || x.fract() == 0.0;
        (0.0..=1_073_741_824.0).contains(&x) && whole
    };
    let widest = pairs.people.iter().map(|person| person.footprint).reduce(|a, b| a.union(&b));
    let covered = widest.is_none_or(|widest| {
        pairs.rule == Rule::Conservative || widest.union(&agent.footprint) == widest
    });
    pairs.ground.fits(agent.position)
        && [sight, reach, speed].into_iter().all(length)
        && reach >= speed
        && agent.world < 1 << 24
        && covered
}

fn join<G: Ground>(pairs: &mut Pairs<G>, agent: &NewAgent<Place<G>>, clock: Step) {
    let NewAgent { position, footprint, world } = *agent;
    let (running, present, party) = (false, true, Vec::new());
    pairs.people.push(Person { position, footprint, world, clock, running, present, party });
}

/// Up to three of them, in any order.
fn some_of(draw: &mut Draw, ids: &[AgentId]) -> Vec<AgentId> {
    if ids.is_empty() {
        return Vec::new();
    }
    let mut chosen: Vec<AgentId> = Vec::new();
    for _ in 0..=draw.below(3) {
        let id = draw.one_of(ids);
        if !chosen.contains(&id) {
            chosen.push(id);
        }
    }
    chosen
}

/// The parties of all those, each agent once.
fn together(chosen: &[AgentId], party: impl Fn(AgentId) -> Vec<usize>) -> Vec<AgentId> {
    let mut ids: Vec<AgentId> = Vec::new();
    for &id in chosen {
        for member in party(id) {
            let member = AgentId(member as u32);
            if !ids.contains(&member) {
                ids.push(member);
            }
        }
    }
    ids
}
