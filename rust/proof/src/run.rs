//! A run of a random world in random order: whoever may go may start, and whoever is under way
//! reads, and ends its step, at a random moment.

use headway_core::{AgentId, Rule, Step};

use crate::agent::{Effects, Key, State, child_of, root};
use crate::judge::Judge;
use crate::lockstep::Change;
use crate::random::Random;
use crate::setting::{Latencies, Reads, Setting};
use crate::world::World;

/// What came of a run.
#[derive(Clone, Debug, Default)]
pub struct Course {
    /// Who was added and who left, in that order.
    pub changes: Vec<Change>,
    /// Steps executed, of all agents together.
    pub agent_steps: u64,
    /// The most steps by which somebody was ahead of somebody when it started one. In lock-step
    /// that is 0.
    pub lead_max: Step,
    /// How many were brought about.
    pub children: u32,
}

/// A cluster in the middle of a step; some have read already, in this order.
#[derive(Debug)]
struct Flight {
    unread: Vec<AgentId>,
    read: Vec<(AgentId, Effects)>,
}

struct Run<'a, W: World> {
    setting: &'a Setting,
    world: W,
    judge: Box<dyn Judge + 'a>,
    random: Random,
    /// Of each id.
    keys: Vec<Key>,
    /// Number of those who were there at first or were added.
    roots: usize,
    /// Those who have not left.
    present: Vec<AgentId>,
    ready: Vec<AgentId>,
    flights: Vec<Flight>,
    course: Course,
}

/// Runs a world to its end, in an order that is drawn from its seed and that the judge allows.
pub fn out_of_order<'a, W: World>(setting: &'a Setting, judge: Box<dyn Judge + 'a>) -> (W, Course) {
    let mut world = W::new();
    let keys: Vec<_> = (0..setting.starts.len()).map(root).collect();
    for (&key, state) in keys.iter().zip(&setting.starts) {
        world.join(key, 0, *state);
    }
    let run = Run {
        setting,
        world,
        judge,
        random: Random(setting.seed ^ 0xABCD),
        roots: keys.len(),
        present: (0..keys.len() as u32).map(AgentId).collect(),
        keys,
        ready: Vec::new(),
        flights: Vec::new(),
        course: Course::default(),
    };
    run.go()
}

impl<W: World> Run<'_, W> {
    fn go(mut self) -> (W, Course) {
        self.look();
        while !self.ready.is_empty() || !self.flights.is_empty() {
            let starting = self.flights.is_empty() || self.setting.pace.eager;
            if self.random.chance(24) {
                self.join_or_leave();
                self.look();
            } else if !self.ready.is_empty() && (starting || self.random.chance(2)) {
                self.start();
                self.look();
            } else if let Some(at) = self.next_flight() {
                self.go_on(at);
            }
        }
        self.judge.validate();
        (self.world, self.course)
    }

    fn key(&self, id: AgentId) -> Key {
        self.keys[id.0 as usize]
    }

    fn look(&mut self) {
        self.ready = self.judge.ready();
        self.ready.retain(|id| self.judge.clock(*id) < self.setting.steps);
    }

    fn join_or_leave(&mut self) {
        if self.random.chance(4) {
            if self.setting.events.leaves {
                self.leave();
            }
        } else if self.setting.events.joins {
            self.join();
        }
    }

    /// Any who executes no step leaves, whether it may start one or not.
    fn leave(&mut self) {
        let flights = self.flights.iter();
        let under_way: Vec<_> = flights
            .flat_map(|flight| flight.unread.iter().chain(flight.read.iter().map(|(id, _)| id)))
            .collect();
        let mut idle = self.present.clone();
        idle.retain(|id| !under_way.contains(&id) && self.judge.clock(*id) < self.setting.steps);
        if idle.is_empty() {
            return;
        }
        let id = self.random.pick(&idle);
        let (step, key) = (self.judge.clock(id), self.key(id));
        self.judge.leave(id);
        self.present.retain(|other| *other != id);
        // Others may have seen it in this snapshot already, where there are snapshots.
        let gone_at = step + u32::from(self.setting.kind.rule == Rule::Conservative);
        self.world.leave(key, gone_at);
        self.course.changes.push(Change::Leave(step, key, gone_at));
    }

    fn join(&mut self) {
        let at = self.setting.ground.anywhere(&mut self.random);
        let starts = &self.setting.starts;
        let footprint = starts[self.random.below(starts.len() as u64) as usize].footprint;
        let state = State { at, value: 99, footprint };
        let later = self.random.below(2) * self.random.below(6);
        let step = self.judge.earliest_join(&state).saturating_add(later as Step);
        if step < self.setting.steps && self.judge.join(&state, step) {
            let key = root(self.roots);
            self.roots += 1;
            self.come(key, step, state);
            self.course.changes.push(Change::Join(step, state));
        }
    }

    /// The one with the next id is there.
    fn come(&mut self, key: Key, step: Step, state: State) {
        self.present.push(AgentId(self.keys.len() as u32));
        self.keys.push(key);
        self.world.join(key, step, state);
    }

    /// One cluster that may go does, or several.
    fn start(&mut self) {
        let mut chosen = Vec::new();
        loop {
            let first = self.random.pick(&self.ready);
            let cluster = self.judge.together(first);
            self.ready.retain(|id| !cluster.contains(id));
            chosen.push(cluster);
            if self.ready.is_empty() || !self.setting.pace.batches || self.random.chance(3) {
                break;
            }
        }
        let frontier = self.judge.frontier();
        for id in chosen.iter().flatten() {
            let lead = self.judge.clock(*id) - frontier;
            self.course.lead_max = self.course.lead_max.max(lead);
        }
        self.judge.start(&chosen.concat());
        for unread in chosen {
            self.flights.push(Flight { unread, read: Vec::new() });
            if let Reads::First = self.setting.pace.reads {
                self.read_all(self.flights.len() - 1);
            }
        }
    }

    /// The flight in which something happens next; none if it takes longer still.
    fn next_flight(&mut self) -> Option<usize> {
        if self.flights.is_empty() {
            return None;
        }
        let at = self.random.below(self.flights.len() as u64) as usize;
        let is_slow = |id: &AgentId| match self.setting.pace.latencies {
            Latencies::Alike => false,
            Latencies::OneSlow(slow) => id.0 as usize == slow,
            Latencies::HalfSlow => id.0 % 2 == 1,
            Latencies::LeadersFast => {
                let clock = self.judge.clock(*id);
                self.flights.iter().filter_map(Flight::first).any(|o| self.judge.clock(o) > clock)
            }
        };
        let Flight { unread, read } = &self.flights[at];
        let waits = unread.iter().chain(read.iter().map(|(id, _)| id)).any(is_slow)
            && self.flights.len() > 1
            && !self.random.chance(8);
        (!waits).then_some(at)
    }

    fn go_on(&mut self, at: usize) {
        if let Reads::Last = self.setting.pace.reads {
            self.read_all(at);
        }
        if self.flights[at].unread.is_empty() {
            self.finish(at);
            self.look();
        } else {
            self.read(at);
        }
    }

    fn read_all(&mut self, at: usize) {
        while !self.flights[at].unread.is_empty() {
            self.read(at);
        }
    }

    /// One of a flight reads and acts.
    fn read(&mut self, at: usize) {
        let flight = &mut self.flights[at];
        let any = self.random.below(flight.unread.len() as u64) as usize;
        let id = flight.unread.swap_remove(any);
        let (key, step) = (self.key(id), self.judge.clock(id));
        let effects = self.world.read_and_act(self.setting, key, step);
        if let Some(child) = effects.child {
            let born = self.judge.spawn(id, &child);
            assert_eq!(born.0 as usize, self.keys.len());
            assert_eq!(self.judge.clock(born), step + 1);
            self.come(child_of(key, step), step + 1, child);
            self.course.children += 1;
        }
        self.flights[at].read.push((id, effects));
    }

    /// A flight whose members have all read ends its step, and perhaps others with it.
    fn finish(&mut self, at: usize) {
        let mut done = vec![self.flights.swap_remove(at)];
        if self.setting.pace.batches {
            let more = self
                .flights
                .extract_if(.., |flight| flight.unread.is_empty() && self.random.chance(3));
            done.extend(more);
        }
        let (mut ids, mut places) = (Vec::new(), Vec::new());
        for Flight { mut read, .. } in done {
            if !self.setting.faults.commits_as_read {
                read.sort_by_key(|(id, _)| self.keys[id.0 as usize]);
            }
            for (id, effects) in read {
                self.world.commit(self.key(id), self.judge.clock(id), &effects);
                ids.push(id);
                places.push(effects.state.at);
            }
        }
        self.course.agent_steps += ids.len() as u64;
        self.judge.finish(&ids, &places);
    }
}

impl Flight {
    /// One who speaks for all: their clocks are equal.
    fn first(&self) -> Option<AgentId> {
        self.unread.first().copied().or_else(|| self.read.first().map(|(id, _)| *id))
    }
}
