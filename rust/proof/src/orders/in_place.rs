//! The content of a world changed in place: one mark on each tile, one inbox for each agent, and
//! readers see whatever is there when they look. Where agents are follows from their clocks. (The
//! content of a versioned world follows from the clocks altogether: every version of every
//! finished step is there.)

use super::group::Group;
use super::lockstep::{Lockstep, Perceived, Seen, Source};
use super::map::Map;
use super::world::{Name, SmallWorld, Step};

/// Marks and inboxes.
#[derive(Clone, Debug)]
pub struct InPlace {
    marks: Vec<Option<Source>>,
    /// Sorted.
    inboxes: Vec<Vec<Source>>,
}

impl InPlace {
    /// An empty world.
    #[must_use]
    pub fn new(world: &SmallWorld) -> Self {
        let marks = vec![None; usize::from(world.area.cells())];
        Self { marks, inboxes: vec![Vec::new(); world.names()] }
    }

    /// What somebody who looks around now reads; its inbox is empty then. `present` tells who is
    /// there, with the clock of each.
    pub fn perceive(
        &mut self,
        run: &Lockstep,
        map: &Map,
        sight: f64,
        present: &[(Name, Step)],
        (reader, clock): (Name, Step),
    ) -> Perceived {
        let here = run.at(reader, clock);
        let mut seen = Perceived::new();
        for &(other, clock) in present {
            if other != reader && map.distance(here, run.at(other, clock)) <= sight {
                seen.push(Seen::Agent(other, clock));
            }
        }
        for cell in map.within(here, sight) {
            seen.extend(self.marks[usize::from(cell)].map(|mark| Seen::Mark(cell, mark)));
        }
        seen.extend(self.inboxes[reader].drain(..).map(Seen::Heard));
        seen
    }

    /// Whom a shout reaches now.
    pub fn hearers(
        &self,
        run: &Lockstep,
        map: &Map,
        reach: f64,
        present: &[(Name, Step)],
        (name, clock): (Name, Step),
    ) -> Group {
        let here = run.at(name, clock);
        let near = |(other, clock): &&(Name, Step)| {
            *other != name && map.distance(here, run.at(*other, *clock)) <= reach
        };
        present.iter().filter(near).map(|(other, _)| *other).collect()
    }

    /// The effects of a step.
    pub fn commit(&mut self, run: &Lockstep, name: Name, step: Step) {
        let source = Source { step, name };
        let deed = run.life(name).expect("who acts has come").deed(step);
        for cell in &deed.marks {
            self.marks[usize::from(*cell)] = Some(source);
        }
        for hearer in deed.hearers.each() {
            let inbox = &mut self.inboxes[hearer];
            inbox.push(source);
            inbox.sort_unstable();
        }
    }

    /// Nobody will read this inbox.
    pub fn leave(&mut self, name: Name) {
        self.inboxes[name].clear();
    }

    /// The first tile whose mark is not the last one of lock-step.
    #[must_use]
    pub fn differs(&self, run: &Lockstep) -> Option<usize> {
        let mut pairs = self.marks.iter().zip(run.last_marks());
        pairs.position(|(mark, last)| *mark != last)
    }

    /// Appends the whole content.
    pub fn describe(&self, out: &mut Vec<u8>) {
        for mark in &self.marks {
            out.extend(mark.map_or([u8::MAX; 2], |mark| [mark.step, mark.name as u8]));
        }
        for inbox in &self.inboxes {
            out.push(inbox.len() as u8);
            out.extend(inbox.iter().flat_map(|source| [source.step, source.name as u8]));
        }
    }
}
