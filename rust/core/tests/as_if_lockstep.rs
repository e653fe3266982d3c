//! Worlds run out of order, in random order, end in the state that lock-step gives: every agent's
//! place and value at every step, every cell, every message.
//!
//! Agents perceive others and cells within sight, write a cell and send a message within reach,
//! move within speed; what they do depends on all they perceive, so one wrong read changes the rest
//! of the run. The versioned world is run under the conservative rule, the one changed in place
//! under the compatibility rule. Wrong rules must be noticed: the last test loosens the bound.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{METRICS, Random, distance};
use headway_core::{AgentId, Footprint, Grid, Metric, NewAgent, Rule, Scheduler};

type Cell = (i64, i64);

/// One agent at the start of one step.
#[derive(Clone, Copy, Debug, PartialEq)]
struct State {
    at: Cell,
    value: u64,
}

#[derive(Clone, Debug, PartialEq)]
struct Effects {
    state: State,
    cell: Cell,
    message_to: Option<usize>,
}

struct Setting {
    seed: u64,
    metric: Metric,
    wrap: Option<i64>,
    footprints: Vec<Footprint>,
    starts: Vec<State>,
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
            })
            .collect();
        let metric = METRICS[random.below(3) as usize];
        Self { seed, metric, wrap, footprints, starts, steps: 12 }
    }

    fn distance(&self, p: Cell, q: Cell) -> f64 {
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
        let r = radius as i64;
        for _ in 0..8 {
            let q = self.shifted(p, (random.between(-r, r), random.between(-r, r)));
            if self.distance(p, q) <= radius {
                return q;
            }
        }
        p
    }

    /// What an agent does, given all it perceives. `others` are sorted by index.
    fn act(
        &self,
        agent: usize,
        step: u32,
        own: State,
        others: &[(usize, State)],
        cells: &[(Cell, u64)],
        inbox: &[(usize, u64)],
    ) -> Effects {
        let mut hash = Random(self.seed ^ ((agent as u64) << 32) ^ u64::from(step)).next();
        let mut mix = |x: u64| hash = Random(hash ^ x).next();
        mix(own.value);
        for (other, state) in others {
            mix(*other as u64);
            mix(state.value);
            mix(state.at.0 as u64 ^ ((state.at.1 as u64) << 32));
        }
        for (cell, value) in cells {
            mix(cell.0 as u64 ^ ((cell.1 as u64) << 32));
            mix(*value);
        }
        for (sender, value) in inbox {
            mix(*sender as u64);
            mix(*value);
        }
        let Footprint { reach, speed, .. } = self.footprints[agent];
        let near: Vec<_> =
            others.iter().filter(|(_, s)| self.distance(own.at, s.at) <= reach).collect();
        Effects {
            state: State { at: self.cell_near(own.at, speed, hash), value: hash },
            cell: self.cell_near(own.at, reach, hash ^ 1),
            message_to: (!near.is_empty()).then(|| near[hash as usize % near.len()].0),
        }
    }

    fn scheduler(&self, rule: Rule) -> Scheduler<Grid> {
        let grid = Grid::new(self.metric, self.wrap.map(|w| [w as i32; 2])).unwrap();
        let agents: Vec<_> = self
            .footprints
            .iter()
            .zip(&self.starts)
            .map(|(&footprint, state)| NewAgent {
                position: [state.at.0 as i32, state.at.1 as i32],
                footprint,
                world: 0,
            })
            .collect();
        Scheduler::new(grid, rule, &agents, 0).unwrap()
    }
}

/// Somebody joins at the start of a step, or executes no step from this one on and is gone from
/// the snapshot of the last.
#[derive(Clone, Copy, Debug)]
enum Change {
    Join(u32, State),
    Leave(u32, usize, u32),
}

/// What a world must offer to be run in any order.
trait World {
    fn new() -> Self;
    /// Agents are numbered in the order of `add`, whatever the steps joined at.
    fn join(&mut self, agent: usize, step: u32, state: State);
    fn leave(&mut self, agent: usize, step: u32);
    fn read_and_act(&mut self, setting: &Setting, agent: usize, step: u32) -> Effects;
    fn commit(&mut self, agent: usize, step: u32, effects: &Effects);
}

/// Keeps every version; a reader sees the one of the start of its own step.
struct Versioned {
    /// First step, states from there on, and the step it was gone at.
    states: Vec<(u32, Vec<State>, u32)>,
    /// (cell, effective step, writer) -> value
    cells: BTreeMap<(Cell, u32, usize), u64>,
    /// (receiver, effective step, sender) -> value
    messages: BTreeMap<(usize, u32, usize), u64>,
}

impl Versioned {
    fn state(&self, agent: usize, step: u32) -> Option<State> {
        let (first, states, gone) = &self.states[agent];
        let at = step.checked_sub(*first).filter(|_| step < *gone)?;
        states.get(at as usize).copied()
    }
}

impl World for Versioned {
    fn new() -> Self {
        Self { states: Vec::new(), cells: BTreeMap::new(), messages: BTreeMap::new() }
    }

    fn join(&mut self, agent: usize, step: u32, state: State) {
        let absent = (u32::MAX, Vec::new(), u32::MAX);
        self.states.resize(self.states.len().max(agent + 1), absent);
        self.states[agent] = (step, vec![state], u32::MAX);
    }

    fn leave(&mut self, agent: usize, step: u32) {
        self.states[agent].2 = step;
    }

    fn read_and_act(&mut self, setting: &Setting, agent: usize, step: u32) -> Effects {
        let own = self.state(agent, step).unwrap();
        let sight = setting.footprints[agent].sight;
        let others: Vec<_> = (0..self.states.len())
            .filter(|&o| o != agent)
            .filter_map(|o| self.state(o, step).map(|s| (o, s)))
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

    fn commit(&mut self, agent: usize, step: u32, effects: &Effects) {
        assert!(self.state(agent, step).is_some() && self.state(agent, step + 1).is_none());
        self.states[agent].1.push(effects.state);
        self.cells.insert((effects.cell, step + 1, agent), effects.state.value);
        if let Some(receiver) = effects.message_to {
            self.messages.insert((receiver, step + 1, agent), effects.state.value);
        }
    }
}

/// Keeps one version; a reader sees whatever is there when it looks.
struct InPlace {
    states: Vec<Option<State>>,
    history: Vec<Vec<State>>,
    cells: BTreeMap<Cell, u64>,
    inboxes: Vec<BTreeMap<usize, u64>>,
}

impl World for InPlace {
    fn new() -> Self {
        Self {
            states: Vec::new(),
            history: Vec::new(),
            cells: BTreeMap::new(),
            inboxes: Vec::new(),
        }
    }

    fn join(&mut self, agent: usize, _step: u32, state: State) {
        let agents = self.states.len().max(agent + 1);
        self.states.resize(agents, None);
        self.history.resize(agents, Vec::new());
        self.inboxes.resize(agents, BTreeMap::new());
        self.states[agent] = Some(state);
        self.history[agent].push(state);
    }

    fn leave(&mut self, agent: usize, _step: u32) {
        self.states[agent] = None;
    }

    fn read_and_act(&mut self, setting: &Setting, agent: usize, step: u32) -> Effects {
        let own = self.states[agent].unwrap();
        let sight = setting.footprints[agent].sight;
        let seen = |at: Cell| setting.distance(own.at, at) <= sight;
        let others: Vec<_> = (0..self.states.len())
            .filter_map(|o| self.states[o].map(|s| (o, s)))
            .filter(|(o, s)| *o != agent && seen(s.at))
            .collect();
        let cells: Vec<_> =
            self.cells.iter().filter(|(c, _)| seen(**c)).map(|(c, v)| (*c, *v)).collect();
        let inbox: Vec<_> = std::mem::take(&mut self.inboxes[agent]).into_iter().collect();
        setting.act(agent, step, own, &others, &cells, &inbox)
    }

    fn commit(&mut self, agent: usize, _step: u32, effects: &Effects) {
        self.states[agent] = Some(effects.state);
        self.history[agent].push(effects.state);
        self.cells.insert(effects.cell, effects.state.value);
        if let Some(receiver) = effects.message_to {
            self.inboxes[receiver].insert(agent, effects.state.value);
        }
    }
}

fn lockstep<W: World>(setting: &Setting, changes: &[Change]) -> W {
    let mut world = W::new();
    let mut present: BTreeSet<usize> = (0..setting.starts.len()).collect();
    for (agent, state) in setting.starts.iter().enumerate() {
        world.join(agent, 0, *state);
    }
    let mut joined = setting.starts.len();
    // Ids are given in the order of joining, whatever the steps joined at.
    let mut later: BTreeMap<u32, Vec<(usize, Change)>> = BTreeMap::new();
    for change in changes {
        match change {
            Change::Join(step, _) => {
                later.entry(*step).or_default().push((joined, *change));
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
        }
    }
    world
}

/// A group of agents in the middle of a step; some have read already.
type Flight = Vec<(usize, Option<Effects>)>;

/// Runs in random order; returns the world, who joined and left when, and the largest lead.
fn out_of_order<W: World>(setting: &mut Setting, rule: Rule) -> (W, Vec<Change>, u32) {
    let mut world = W::new();
    for (agent, state) in setting.starts.iter().enumerate() {
        world.join(agent, 0, *state);
    }
    let mut changes = Vec::new();
    let mut scheduler = setting.scheduler(rule);
    let mut random = Random(setting.seed ^ 0xABCD);
    let mut flights: Vec<Flight> = Vec::new();
    let mut newly = Vec::new();
    let mut lead_max = 0;
    // One agent is slow, so that the others have somebody to overtake.
    let slow = random.below(setting.starts.len() as u64) as usize;
    loop {
        let mut ready = scheduler.ready();
        ready.retain(|id| scheduler.clock(*id).unwrap() < setting.steps);
        if ready.is_empty() && flights.is_empty() {
            return (world, changes, lead_max);
        }
        if random.chance(12) {
            if let Some(&id) = ready.get(random.below(9) as usize) {
                let step = scheduler.clock(id).unwrap();
                scheduler.remove(&[id], &mut newly).unwrap();
                let gone_at = if rule == Rule::Conservative { step + 1 } else { step };
                world.leave(id.0 as usize, gone_at);
                changes.push(Change::Leave(step, id.0 as usize, gone_at));
            } else {
                let at = (random.between(0, 7), random.between(0, 7));
                let footprint = setting.footprints[random.below(7) as usize];
                let position = [at.0 as i32, at.1 as i32];
                let newcomer = NewAgent { position, footprint, world: 0 };
                let later = random.below(2) * random.below(6);
                let step = scheduler.earliest_join(&newcomer).unwrap() + later as u32;
                if step < setting.steps && scheduler.add(&newcomer, Some(step), &mut newly).is_ok()
                {
                    let agent = setting.footprints.len();
                    setting.footprints.push(footprint);
                    let state = State { at, value: 99 };
                    world.join(agent, step, state);
                    changes.push(Change::Join(step, state));
                }
            }
            continue;
        }
        if !ready.is_empty() && (flights.is_empty() || random.chance(2)) {
            let chosen = ready[random.below(ready.len() as u64) as usize];
            let label = scheduler.cluster(chosen).unwrap();
            let cluster: Vec<_> =
                ready.into_iter().filter(|id| scheduler.cluster(*id).unwrap() == label).collect();
            scheduler.start(&cluster).unwrap();
            flights.push(cluster.iter().map(|id| (id.0 as usize, None)).collect());
            continue;
        }
        let at = random.below(flights.len() as u64) as usize;
        if flights[at].iter().any(|(a, _)| *a == slow) && flights.len() > 1 && !random.chance(8) {
            continue;
        }
        // Reads happen at a random moment of the step.
        let unread = flights[at].iter().position(|(_, effects)| effects.is_none());
        if let Some(member) = unread {
            let agent = flights[at][member].0;
            let step = scheduler.clock(AgentId(agent as u32)).unwrap();
            flights[at][member].1 = Some(world.read_and_act(setting, agent, step));
            continue;
        }
        let mut flight = flights.swap_remove(at);
        flight.sort_by_key(|(agent, _)| *agent);
        let (mut ids, mut positions) = (Vec::new(), Vec::new());
        for (agent, effects) in &flight {
            let id = AgentId(*agent as u32);
            let effects = effects.as_ref().unwrap();
            let step = scheduler.clock(id).unwrap();
            lead_max = lead_max.max(step - scheduler.frontier());
            world.commit(*agent, step, effects);
            ids.push(id);
            positions.push([effects.state.at.0 as i32, effects.state.at.1 as i32]);
        }
        scheduler.finish(&ids, &positions, &mut newly).unwrap();
    }
}

fn seeds() -> std::ops::Range<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|s| s.parse::<u64>().ok());
    match number("HEADWAY_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("HEADWAY_SEEDS").unwrap_or(300),
    }
}

#[test]
fn a_versioned_world_under_the_conservative_rule_ends_as_in_lockstep() {
    let mut overtook = 0;
    for seed in seeds() {
        let mut setting = Setting::new(seed, false);
        let (world, changes, lead): (Versioned, _, _) =
            out_of_order(&mut setting, Rule::Conservative);
        let expected: Versioned = lockstep(&setting, &changes);
        assert_eq!(world.states, expected.states, "HEADWAY_SEED={seed}");
        assert_eq!(world.cells, expected.cells, "HEADWAY_SEED={seed}");
        assert_eq!(world.messages, expected.messages, "HEADWAY_SEED={seed}");
        overtook += u64::from(lead > 1);
    }
    assert!(overtook * 3 > seeds().count() as u64, "only {overtook} runs had a lead");
}

#[test]
fn a_world_changed_in_place_under_the_compatibility_rule_ends_as_in_lockstep() {
    let mut overtook = 0;
    for seed in seeds() {
        let mut setting = Setting::new(seed, seed % 2 == 0);
        let (world, changes, lead): (InPlace, _, _) =
            out_of_order(&mut setting, Rule::Compatibility);
        let expected: InPlace = lockstep(&setting, &changes);
        assert_eq!(world.history, expected.history, "HEADWAY_SEED={seed}");
        assert_eq!(world.cells, expected.cells, "HEADWAY_SEED={seed}");
        overtook += u64::from(lead > 1);
    }
    assert!(overtook * 5 > seeds().count() as u64, "only {overtook} runs had a lead");
}

#[test]
fn these_worlds_notice_a_rule_that_is_too_loose() {
    // The conservative rule lets neighbours part; without versions that must show.
    let wrong = (0..200)
        .filter(|&seed| {
            let mut setting = Setting::new(seed, false);
            let (world, changes, _): (InPlace, _, _) =
                out_of_order(&mut setting, Rule::Conservative);
            let expected: InPlace = lockstep(&setting, &changes);
            world.history != expected.history
        })
        .count();
    assert!(wrong > 100, "only {wrong} of 200 runs differ");
}
