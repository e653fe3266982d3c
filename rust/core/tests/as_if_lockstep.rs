//! Worlds run out of order, in random order, end in the state that lock-step gives: every agent's
//! place and value at every step, every cell, every message.
//!
//! Agents perceive others and cells within sight, write a cell and send a message within reach,
//! move within speed, bring others about; what they do depends on all they perceive, so one wrong
//! read changes the rest of the run. The versioned world is run under the conservative rule, the
//! one changed in place under the compatibility rule. Wrong rules must be noticed: the last tests
//! loosen the bounds.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{METRICS, Random, Twin, TwinAgent, distance};
use headway_core::{AgentId, Footprint, Graph, Grid, Metric, NewAgent, Rule, Scheduler, Space};

type Cell = (i64, i64);

/// An agent's name, the same in every order of execution: the number of an agent that was there at
/// first or was added, and the steps at which it and then its children brought the next one about.
/// Ids are given in the order of calls, so they would not do.
type Key = u64;

fn root(number: usize) -> Key {
    (number as u64) << 52
}

fn child_of(parent: Key, step: u32) -> Key {
    let path = parent & ((1 << 52) - 1);
    parent - path + path * 16 + u64::from(step) + 1
}

fn generation(key: Key) -> u32 {
    (0..13).filter(|digit| key >> (4 * digit) & 15 > 0).count() as u32
}

/// One agent at the start of one step.
#[derive(Clone, Copy, Debug, PartialEq)]
struct State {
    at: Cell,
    value: u64,
    footprint: Footprint,
}

#[derive(Clone, Debug, PartialEq)]
struct Effects {
    state: State,
    cell: Cell,
    message_to: Option<Key>,
    child: Option<State>,
}

struct Setting {
    seed: u64,
    metric: Metric,
    wrap: Option<i64>,
    /// Cells are nodes, by their first coordinate, where there is a graph.
    graph: Option<(Graph, Vec<Vec<f64>>)>,
    starts: Vec<State>,
    /// Generations that are brought about by others.
    generations: u32,
    /// By how much children stand farther away than is allowed.
    too_far: f64,
    steps: u32,
}

impl Setting {
    fn new(seed: u64, uniform: bool) -> Self {
        let mut random = Random(seed);
        let size = random.between(8, 24);
        let wrap = random.chance(3).then_some(size);
        let mut footprint = || {
            let speed = random.between(0, 2);
            let reach = speed + random.between(0, 2);
            Footprint {
                sight: random.between(0, 4) as f64,
                reach: reach as f64,
                speed: speed as f64,
            }
        };
        let first = footprint();
        let footprints: Vec<_> =
            (0..7).map(|_| if uniform { first } else { footprint() }).collect();
        let starts = (0..7)
            .map(|i| State {
                at: (random.between(0, size - 1), random.between(0, size - 1)),
                value: i,
                footprint: footprints[i as usize],
            })
            .collect();
        let metric = METRICS[random.below(3) as usize];
        Self { seed, metric, wrap, graph: None, starts, generations: 0, too_far: 0.0, steps: 12 }
    }

    fn on_a_graph(seed: u64, uniform: bool) -> Self {
        let mut random = Random(seed ^ 0xFEED);
        let graph = common::random_graph(&mut random);
        let mut setting = Self::new(seed, uniform);
        for state in &mut setting.starts {
            state.at = (random.below(graph.1.len() as u64) as i64, 0);
        }
        Self { graph: Some(graph), ..setting }
    }

    fn distance(&self, p: Cell, q: Cell) -> f64 {
        if let Some((_, hops)) = &self.graph {
            return hops[p.0 as usize][q.0 as usize];
        }
        let real = |p: Cell| [p.0 as f64, p.1 as f64];
        distance(self.metric, self.wrap.map(|w| [w as f64; 2]), real(p), real(q))
    }

    fn shifted(&self, p: Cell, by: Cell) -> Cell {
        let wrap = |x: i64| self.wrap.map_or(x, |w| x.rem_euclid(w));
        (wrap(p.0 + by.0), wrap(p.1 + by.1))
    }

    /// Some cell at most `radius` from `p`, chosen by `hash`.
    fn cell_near(&self, p: Cell, radius: f64, hash: u64) -> Cell {
        let mut random = Random(hash);
        if let Some((_, hops)) = &self.graph {
            let nodes = (0..hops.len()).map(|node| (node as i64, 0));
            let near: Vec<_> = nodes.filter(|q| self.distance(p, *q) <= radius).collect();
            return near.get(random.below(near.len().max(1) as u64) as usize).copied().unwrap_or(p);
        }
        let r = radius as i64;
        for _ in 0..8 {
            let q = self.shifted(p, (random.between(-r, r), random.between(-r, r)));
            if self.distance(p, q) <= radius {
                return q;
            }
        }
        p
    }

    /// Somebody brought about by one in this state, no faster than it and as far away as it may be.
    fn child(&self, parent: State, hash: u64) -> State {
        let mut random = Random(hash);
        let Footprint { reach, speed, .. } = parent.footprint;
        let own_speed = random.between(0, speed as i64) as f64;
        let own_reach = random.between(own_speed as i64, (reach + speed) as i64) as f64;
        let sight = random.between(0, 4) as f64;
        let limit = reach - (own_reach - speed).max(0.0) + self.too_far;
        State {
            at: self.cell_near(parent.at, limit, hash),
            value: hash,
            footprint: Footprint { sight, reach: own_reach, speed: own_speed },
        }
    }

    /// What an agent does, given all it perceives. `others` are sorted by key.
    fn act(
        &self,
        agent: Key,
        step: u32,
        own: State,
        others: &[(Key, State)],
        cells: &[(Cell, u64)],
        inbox: &[(Key, u64)],
    ) -> Effects {
        let mut hash = Random(self.seed ^ agent.rotate_left(32) ^ u64::from(step)).next();
        let mut mix = |x: u64| hash = Random(hash ^ x).next();
        mix(own.value);
        for (other, state) in others {
            mix(*other);
            mix(state.value);
            mix(state.at.0 as u64 ^ ((state.at.1 as u64) << 32));
        }
        for (cell, value) in cells {
            mix(cell.0 as u64 ^ ((cell.1 as u64) << 32));
            mix(*value);
        }
        for (sender, value) in inbox {
            mix(*sender);
            mix(*value);
        }
        let Footprint { reach, speed, .. } = own.footprint;
        let near: Vec<_> =
            others.iter().filter(|(_, s)| self.distance(own.at, s.at) <= reach).collect();
        let fertile = generation(agent) < self.generations && Random(hash ^ 2).chance(6);
        Effects {
            state: State { at: self.cell_near(own.at, speed, hash), value: hash, ..own },
            cell: self.cell_near(own.at, reach, hash ^ 1),
            message_to: (!near.is_empty()).then(|| near[hash as usize % near.len()].0),
            child: fertile.then(|| self.child(own, hash ^ 3)),
        }
    }
}

/// Where a setting can lie.
trait Home: Space {
    fn of(setting: &Setting) -> Self;
    fn position(at: Cell) -> Self::Position;
}

impl Home for Grid {
    fn of(setting: &Setting) -> Self {
        Self::new(setting.metric, setting.wrap.map(|w| [w as i32; 2])).unwrap()
    }
    fn position((x, y): Cell) -> [i32; 2] {
        [x as i32, y as i32]
    }
}

impl Home for Graph {
    fn of(setting: &Setting) -> Self {
        setting.graph.as_ref().unwrap().0.clone()
    }
    fn position((node, _): Cell) -> u32 {
        node as u32
    }
}

fn newcomer<S: Home>(state: &State) -> NewAgent<S::Position> {
    NewAgent { position: S::position(state.at), footprint: state.footprint, world: 0 }
}

/// Somebody joins at the start of a step, or executes no step from this one on and is gone from
/// the snapshot of the last.
#[derive(Clone, Copy, Debug)]
enum Change {
    Join(u32, State),
    Leave(u32, Key, u32),
}

/// What a world must offer to be run in any order.
trait World {
    fn new() -> Self;
    fn join(&mut self, agent: Key, step: u32, state: State);
    fn leave(&mut self, agent: Key, step: u32);
    fn read_and_act(&mut self, setting: &Setting, agent: Key, step: u32) -> Effects;
    fn commit(&mut self, agent: Key, step: u32, effects: &Effects);
}

/// Keeps every version; a reader sees the one of the start of its own step.
#[derive(Debug, PartialEq)]
struct Versioned {
    /// First step, states from there on, and the step it was gone at.
    states: BTreeMap<Key, (u32, Vec<State>, u32)>,
    /// (cell, effective step, writer) -> value
    cells: BTreeMap<(Cell, u32, Key), u64>,
    /// (receiver, effective step, sender) -> value
    messages: BTreeMap<(Key, u32, Key), u64>,
}

impl Versioned {
    fn state(&self, agent: Key, step: u32) -> Option<State> {
        let (first, states, gone) = &self.states[&agent];
        let at = step.checked_sub(*first).filter(|_| step < *gone)?;
        states.get(at as usize).copied()
    }
}

impl World for Versioned {
    fn new() -> Self {
        Self { states: BTreeMap::new(), cells: BTreeMap::new(), messages: BTreeMap::new() }
    }

    fn join(&mut self, agent: Key, step: u32, state: State) {
        let before = self.states.insert(agent, (step, vec![state], u32::MAX));
        assert!(before.is_none());
    }

    fn leave(&mut self, agent: Key, step: u32) {
        // In a run that went wrong it may never have come.
        if let Some(life) = self.states.get_mut(&agent) {
            life.2 = step;
        }
    }

    fn read_and_act(&mut self, setting: &Setting, agent: Key, step: u32) -> Effects {
        let own = self.state(agent, step).unwrap();
        let sight = own.footprint.sight;
        let others: Vec<_> = self
            .states
            .keys()
            .filter(|&&o| o != agent)
            .filter_map(|&o| self.state(o, step).map(|s| (o, s)))
            .filter(|(_, s)| setting.distance(own.at, s.at) <= sight)
            .collect();
        let mut cells = BTreeMap::new();
        for (&(cell, from, _), &value) in &self.cells {
            if from <= step && setting.distance(own.at, cell) <= sight {
                cells.insert(cell, value); // later steps, then higher agents, overwrite
            }
        }
        let cells: Vec<_> = cells.into_iter().collect();
        let inbox: Vec<_> = self
            .messages
            .range((agent, step, 0)..(agent, step + 1, 0))
            .map(|(&(_, _, sender), &value)| (sender, value))
            .collect();
        setting.act(agent, step, own, &others, &cells, &inbox)
    }

    fn commit(&mut self, agent: Key, step: u32, effects: &Effects) {
        assert!(self.state(agent, step).is_some() && self.state(agent, step + 1).is_none());
        self.states.get_mut(&agent).unwrap().1.push(effects.state);
        self.cells.insert((effects.cell, step + 1, agent), effects.state.value);
        if let Some(receiver) = effects.message_to {
            self.messages.insert((receiver, step + 1, agent), effects.state.value);
        }
    }
}

/// Keeps one version; a reader sees whatever is there when it looks.
struct InPlace {
    states: BTreeMap<Key, State>,
    history: BTreeMap<Key, Vec<State>>,
    cells: BTreeMap<Cell, u64>,
    inboxes: BTreeMap<Key, BTreeMap<Key, u64>>,
}

impl World for InPlace {
    fn new() -> Self {
        Self {
            states: BTreeMap::new(),
            history: BTreeMap::new(),
            cells: BTreeMap::new(),
            inboxes: BTreeMap::new(),
        }
    }

    fn join(&mut self, agent: Key, _step: u32, state: State) {
        self.states.insert(agent, state);
        self.history.insert(agent, vec![state]);
    }

    fn leave(&mut self, agent: Key, _step: u32) {
        self.states.remove(&agent);
    }

    fn read_and_act(&mut self, setting: &Setting, agent: Key, step: u32) -> Effects {
        let own = self.states[&agent];
        let seen = |at: Cell| setting.distance(own.at, at) <= own.footprint.sight;
        let others: Vec<_> = self
            .states
            .iter()
            .filter(|(o, s)| **o != agent && seen(s.at))
            .map(|(o, s)| (*o, *s))
            .collect();
        let cells: Vec<_> =
            self.cells.iter().filter(|(c, _)| seen(**c)).map(|(c, v)| (*c, *v)).collect();
        let inbox = self.inboxes.remove(&agent).unwrap_or_default();
        let inbox: Vec<_> = inbox.into_iter().collect();
        setting.act(agent, step, own, &others, &cells, &inbox)
    }

    fn commit(&mut self, agent: Key, _step: u32, effects: &Effects) {
        self.states.insert(agent, effects.state);
        self.history.get_mut(&agent).unwrap().push(effects.state);
        self.cells.insert(effects.cell, effects.state.value);
        if let Some(receiver) = effects.message_to {
            self.inboxes.entry(receiver).or_default().insert(agent, effects.state.value);
        }
    }
}

fn lockstep<W: World>(setting: &Setting, changes: &[Change]) -> W {
    let mut world = W::new();
    let mut present = BTreeSet::new();
    for (number, state) in setting.starts.iter().enumerate() {
        present.insert(root(number));
        world.join(root(number), 0, *state);
    }
    let mut joined = setting.starts.len();
    // Those who are added are numbered in that order, whatever the steps joined at.
    let mut later: BTreeMap<u32, Vec<(Key, Change)>> = BTreeMap::new();
    for change in changes {
        match change {
            Change::Join(step, _) => {
                later.entry(*step).or_default().push((root(joined), *change));
                joined += 1;
            }
            Change::Leave(step, agent, _) => {
                later.entry(*step).or_default().push((*agent, *change));
            }
        }
    }
    for step in 0..setting.steps {
        for (agent, change) in later.remove(&step).unwrap_or_default() {
            match change {
                Change::Join(_, state) => {
                    present.insert(agent);
                    world.join(agent, step, state);
                }
                Change::Leave(_, _, gone_at) => {
                    present.remove(&agent);
                    world.leave(agent, gone_at);
                }
            }
        }
        let all: Vec<_> =
            present.iter().map(|&a| (a, world.read_and_act(setting, a, step))).collect();
        for (agent, effects) in all {
            world.commit(agent, step, &effects);
            if let Some(state) = effects.child {
                present.insert(child_of(agent, step));
                world.join(child_of(agent, step), step + 1, state);
            }
        }
    }
    world
}

/// A group of agents in the middle of a step; some have read already.
type Flight = Vec<(AgentId, Option<Effects>)>;

/// What came of a run: who was added and left when, the largest lead, how many children.
#[derive(Default)]
struct Course {
    changes: Vec<Change>,
    lead_max: u32,
    children: usize,
}

/// A run in random order.
struct Run<'a, W: World, S: Home> {
    setting: &'a Setting,
    rule: Rule,
    world: W,
    scheduler: Scheduler<S>,
    random: Random,
    /// Of each id.
    keys: Vec<Key>,
    added: usize,
    course: Course,
}

impl<'a, W: World, S: Home> Run<'a, W, S> {
    fn new(setting: &'a Setting, rule: Rule) -> Self {
        let mut world = W::new();
        let keys: Vec<_> = (0..setting.starts.len()).map(root).collect();
        for (&key, state) in keys.iter().zip(&setting.starts) {
            world.join(key, 0, *state);
        }
        let agents: Vec<_> = setting.starts.iter().map(newcomer::<S>).collect();
        let scheduler = Scheduler::new(S::of(setting), rule, &agents, 0).unwrap();
        let random = Random(setting.seed ^ 0xABCD);
        let added = keys.len();
        Self { setting, rule, world, scheduler, random, keys, added, course: Course::default() }
    }

    fn key(&self, id: AgentId) -> Key {
        self.keys[id.0 as usize]
    }

    fn join_or_leave(&mut self, ready: &[AgentId]) {
        let mut newly = Vec::new();
        if let Some(&id) = ready.get(self.random.below(9) as usize) {
            let step = self.scheduler.clock(id).unwrap();
            self.scheduler.remove(&[id], &mut newly).unwrap();
            let gone_at = if self.rule == Rule::Conservative { step + 1 } else { step };
            self.world.leave(self.key(id), gone_at);
            self.course.changes.push(Change::Leave(step, self.key(id), gone_at));
            return;
        }
        let at = match &self.setting.graph {
            Some((graph, _)) => (self.random.below(u64::from(graph.nodes())) as i64, 0),
            None => (self.random.between(0, 7), self.random.between(0, 7)),
        };
        let footprint = self.setting.starts[self.random.below(7) as usize].footprint;
        let state = State { at, value: 99, footprint };
        let later = self.random.below(2) * self.random.below(6);
        let step = self.scheduler.earliest_join(&newcomer::<S>(&state)).unwrap() + later as u32;
        if step < self.setting.steps
            && self.scheduler.add(&newcomer::<S>(&state), Some(step), &mut newly).is_ok()
        {
            let key = root(self.added);
            self.added += 1;
            self.keys.push(key);
            self.world.join(key, step, state);
            self.course.changes.push(Change::Join(step, state));
        }
    }

    /// One of those who are in the middle of this step reads and acts.
    fn read(&mut self, id: AgentId) -> Effects {
        let step = self.scheduler.clock(id).unwrap();
        let key = self.key(id);
        let effects = self.world.read_and_act(self.setting, key, step);
        if let Some(child) = effects.child {
            let position = S::position(child.at);
            let born = self.scheduler.spawn(id, position, child.footprint).unwrap();
            assert_eq!(born.0 as usize, self.keys.len());
            assert_eq!(self.scheduler.clock(born), Ok(step + 1));
            self.keys.push(child_of(key, step));
            self.world.join(child_of(key, step), step + 1, child);
            self.course.children += 1;
        }
        effects
    }

    fn finish(&mut self, mut flight: Flight) {
        flight.sort_by_key(|(id, _)| self.key(*id));
        let (mut ids, mut positions) = (Vec::new(), Vec::new());
        for (id, effects) in &flight {
            let effects = effects.as_ref().unwrap();
            let step = self.scheduler.clock(*id).unwrap();
            let lead = step - self.scheduler.frontier();
            self.course.lead_max = self.course.lead_max.max(lead);
            self.world.commit(self.key(*id), step, effects);
            ids.push(*id);
            positions.push(S::position(effects.state.at));
        }
        self.scheduler.finish(&ids, &positions, &mut Vec::new()).unwrap();
    }

    fn go(mut self) -> (W, Course) {
        let mut flights: Vec<Flight> = Vec::new();
        // One agent is slow, so that the others have somebody to overtake.
        let slow = AgentId(self.random.below(self.setting.starts.len() as u64) as u32);
        loop {
            let mut ready = self.scheduler.ready();
            ready.retain(|id| self.scheduler.clock(*id).unwrap() < self.setting.steps);
            if ready.is_empty() && flights.is_empty() {
                return (self.world, self.course);
            }
            if self.random.chance(12) {
                self.join_or_leave(&ready);
                continue;
            }
            if !ready.is_empty() && (flights.is_empty() || self.random.chance(2)) {
                let chosen = ready[self.random.below(ready.len() as u64) as usize];
                let label = self.scheduler.cluster(chosen).unwrap();
                ready.retain(|id| self.scheduler.cluster(*id).unwrap() == label);
                self.scheduler.start(&ready).unwrap();
                flights.push(ready.into_iter().map(|id| (id, None)).collect());
                continue;
            }
            let at = self.random.below(flights.len() as u64) as usize;
            let is_slow = flights[at].iter().any(|(id, _)| *id == slow);
            if is_slow && flights.len() > 1 && !self.random.chance(8) {
                continue;
            }
            // Reads happen at a random moment of the step.
            let unread = flights[at].iter().position(|(_, effects)| effects.is_none());
            if let Some(member) = unread {
                flights[at][member].1 = Some(self.read(flights[at][member].0));
                continue;
            }
            self.finish(flights.swap_remove(at));
        }
    }
}

/// A run in random order under the conservative rule as the twin states it, which does not check
/// where children may stand.
fn by_the_twin(setting: &Setting) -> Versioned {
    let mut world = Versioned::new();
    let mut random = Random(setting.seed ^ 0xABCD);
    let wrap = setting.wrap.map(|w| [w as f64; 2]);
    let widest = setting.starts[0].footprint; // of no account under this rule
    let (rule, metric) = (Rule::Conservative, setting.metric);
    let hops = setting.graph.as_ref().map(|(_, hops)| hops.clone());
    let mut twin = Twin { lean: 0.0, rule, metric, wrap, hops, agents: Vec::new(), widest };
    let mut keys = Vec::new();
    let place = |at: Cell| [at.0 as f64, at.1 as f64];
    let agent = |state: &State, clock| TwinAgent {
        position: place(state.at),
        footprint: state.footprint,
        world: 0,
        clock,
        running: false,
        present: true,
    };
    for (number, state) in setting.starts.iter().enumerate() {
        keys.push(root(number));
        twin.agents.push(agent(state, 0));
        world.join(root(number), 0, *state);
    }
    let slow = random.below(setting.starts.len() as u64) as usize;
    let mut running: Vec<usize> = Vec::new();
    loop {
        let mut ready = twin.ready();
        ready.retain(|id| twin.agents[id.0 as usize].clock < setting.steps);
        if ready.is_empty() && running.is_empty() {
            return world;
        }
        if !ready.is_empty() && (running.is_empty() || random.chance(2)) {
            let a = ready[random.below(ready.len() as u64) as usize].0 as usize;
            twin.agents[a].running = true;
            running.push(a);
            continue;
        }
        let at = random.below(running.len() as u64) as usize;
        if running[at] == slow && running.len() > 1 && !random.chance(8) {
            continue;
        }
        let a = running.swap_remove(at);
        let (key, step) = (keys[a], twin.agents[a].clock);
        let effects = world.read_and_act(setting, key, step);
        world.commit(key, step, &effects);
        if let Some(child) = effects.child {
            keys.push(child_of(key, step));
            twin.agents.push(agent(&child, step + 1));
            world.join(child_of(key, step), step + 1, child);
        }
        twin.agents[a] = agent(&effects.state, step + 1);
    }
}

fn seeds() -> std::ops::Range<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|s| s.parse::<u64>().ok());
    match number("HEADWAY_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("HEADWAY_SEEDS").unwrap_or(300),
    }
}

/// Runs in which somebody led, and children.
fn versioned_equals_lockstep<S: Home>(
    setting: fn(u64, bool) -> Setting,
    generations: u32,
) -> (u64, usize) {
    let (mut overtook, mut children) = (0, 0);
    for seed in seeds() {
        let setting = Setting { generations, ..setting(seed, false) };
        let (world, course) = Run::<Versioned, S>::new(&setting, Rule::Conservative).go();
        let expected: Versioned = lockstep(&setting, &course.changes);
        assert_eq!(world.states, expected.states, "HEADWAY_SEED={seed}");
        assert_eq!(world.cells, expected.cells, "HEADWAY_SEED={seed}");
        assert_eq!(world.messages, expected.messages, "HEADWAY_SEED={seed}");
        overtook += u64::from(course.lead_max > 1);
        children += course.children;
    }
    (overtook, children)
}

#[test]
fn a_versioned_world_under_the_conservative_rule_ends_as_in_lockstep() {
    let (overtook, _) = versioned_equals_lockstep::<Grid>(Setting::new, 0);
    assert!(overtook * 3 > seeds().count() as u64, "only {overtook} runs had a lead");
}

#[test]
fn a_versioned_world_whose_agents_bring_others_about_ends_as_in_lockstep() {
    let (overtook, children) = versioned_equals_lockstep::<Grid>(Setting::new, 3);
    assert!(overtook * 3 > seeds().count() as u64, "only {overtook} runs had a lead");
    assert!(children > 3 * seeds().count(), "only {children} children");
}

#[test]
fn a_versioned_world_on_a_graph_ends_as_in_lockstep() {
    let (overtook, children) = versioned_equals_lockstep::<Graph>(Setting::on_a_graph, 3);
    assert!(overtook * 3 > seeds().count() as u64, "only {overtook} runs had a lead");
    assert!(children > 3 * seeds().count(), "only {children} children");
}

/// Runs in which somebody led.
fn in_place_equals_lockstep<S: Home>(setting: fn(u64, bool) -> Setting) -> u64 {
    let mut overtook = 0;
    for seed in seeds() {
        let setting = setting(seed, seed % 2 == 0);
        let (world, course) = Run::<InPlace, S>::new(&setting, Rule::Compatibility).go();
        let expected: InPlace = lockstep(&setting, &course.changes);
        assert_eq!(world.history, expected.history, "HEADWAY_SEED={seed}");
        assert_eq!(world.cells, expected.cells, "HEADWAY_SEED={seed}");
        overtook += u64::from(course.lead_max > 1);
    }
    overtook
}

#[test]
fn a_world_changed_in_place_under_the_compatibility_rule_ends_as_in_lockstep() {
    let overtook = in_place_equals_lockstep::<Grid>(Setting::new);
    assert!(overtook * 5 > seeds().count() as u64, "only {overtook} runs had a lead");
}

#[test]
fn a_graph_changed_in_place_under_the_compatibility_rule_ends_as_in_lockstep() {
    let overtook = in_place_equals_lockstep::<Graph>(Setting::on_a_graph);
    assert!(overtook * 9 > seeds().count() as u64, "only {overtook} runs had a lead");
}

#[test]
fn these_worlds_notice_a_rule_that_is_too_loose() {
    // The conservative rule lets neighbours part; without versions that must show.
    let wrong = (0..200)
        .filter(|&seed| {
            let setting = Setting::new(seed, false);
            let (world, course) = Run::<InPlace, Grid>::new(&setting, Rule::Conservative).go();
            let expected: InPlace = lockstep(&setting, &course.changes);
            world.history != expected.history
        })
        .count();
    assert!(wrong > 100, "only {wrong} of 200 runs differ");
}

#[test]
fn these_worlds_notice_children_one_farther_away_than_allowed() {
    let differ = |setting: fn(u64, bool) -> Setting, too_far: f64| {
        let wrong = (0..400).filter(|&seed| {
            let setting = Setting { generations: 3, too_far, ..setting(seed, false) };
            by_the_twin(&setting) != lockstep(&setting, &[])
        });
        wrong.count()
    };
    for setting in [Setting::new, Setting::on_a_graph] {
        assert_eq!(differ(setting, 0.0), 0);
        let wrong = differ(setting, 1.0);
        assert!(wrong > 40, "only {wrong} of 400 runs differ");
    }
}
