//! What must hold in every state, and what tells states apart.

use headway_core::Rule;

use super::group::Group;
use super::lockstep::told;
use super::pairs::Visible;
use super::scheduling::Scheduling;
use super::state::{Agent, Event, Phase, Run, State};
use super::world::{Reads, SmallWorld};

impl<D: Scheduling> State<D> {
    /// Checks the scheduler's answers, the condition on worlds changed in place, and that
    /// somebody can go on or everybody has ended as in lock-step.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self, run: &Run) -> Result<(), String> {
        self.scheduler.check(&self.visible(run.world))?;
        if run.world.rule == Rule::Compatibility {
            if !run.outcome_only {
                self.check_validity(run)?;
            }
        } else if run.world.reads == Reads::AtStart {
            self.check_readers(run)?;
        }
        if self.is_final(run.world) {
            return self.check_end(run);
        }
        let joining = |event: &Event| matches!(event, Event::Join(_));
        if self.events(run.world).iter().all(joining) {
            return Err("nobody can start, read or finish".into());
        }
        Ok(())
    }

    /// Whoever was ready stays so, unless it has started or left, or somebody has joined its
    /// cluster; and `newly` are those who have become ready by this event.
    pub(super) fn check_ready(
        &self,
        run: &Run,
        event: Event,
        before: Group,
        newly: Group,
    ) -> Result<(), String> {
        let gone = match event {
            Event::Start(names) => names,
            Event::Leave(name) => Group::of(name),
            _ => Group::NONE,
        };
        let lost = before.without(gone).without(self.ready);
        let came = self.ready.without(before);
        let joined = matches!(event, Event::Join(_));
        let may_lose = joined && run.world.rule == Rule::Compatibility;
        if !may_lose && !lost.is_empty() {
            return Err(format!("{lost} had been told to be ready"));
        }
        // With a newcomer a cluster may become ready anew.
        let anew = if joined { self.ready } else { came };
        if !newly.without(anew).is_empty() || !came.without(newly).is_empty() {
            return Err(format!("said to have become ready: {newly}; who did: {came}"));
        }
        Ok(())
    }

    /// In a versioned world, whoever is in the middle of a step would read now what it has read as
    /// it started: so no instant of a step is better than another.
    fn check_readers(&self, run: &Run) -> Result<(), String> {
        for (name, clock) in self.present().filter(|(name, _)| !self.agents[*name].with.is_empty())
        {
            let now = self.perceive_versions(run, name, clock);
            let before = &self.lockstep.life(name).expect("it has come").deed(clock).perceived;
            if now != *before {
                let (now, before) = (told(&now), told(before));
                return Err(format!(
                    "at its step {clock}, {name} would now read: {now}; not: {before}"
                ));
            }
        }
        Ok(())
    }

    /// The agents as the scheduler should see them, by id.
    fn visible(&self, world: &SmallWorld) -> Vec<Visible> {
        let agent = |&name: &usize| {
            let Agent { phase, clock, with, .. } = self.agents[name];
            Visible {
                at: self.lockstep.at(name, clock),
                footprint: world.footprint(name),
                clock,
                running: (!with.is_empty()).then(|| self.ids(with)),
                present: phase != Phase::Left,
            }
        };
        self.names.iter().map(agent).collect()
    }

    /// The published condition, for the clocks as they are and for what they become when running
    /// steps end, in any order: whoever is in the middle of a step may be one clock on and a step
    /// nearer at any moment. (Members of one cluster end together.)
    fn check_validity(&self, run: &Run) -> Result<(), String> {
        let speed = run.world.widest().speed;
        let present: Vec<_> = self.present().collect();
        for &(one, a) in &present {
            for &(other, b) in present.iter().filter(|(other, _)| *other > one) {
                let (p, q) = (self.lockstep.at(one, a), self.lockstep.at(other, b));
                let with = self.agents[one].with;
                let together = with.has(other);
                for (on, further) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
                    let may = (on == 0 || !with.is_empty())
                        && (further == 0 || !self.agents[other].with.is_empty())
                        && (on == further || !together);
                    let nearer = f64::from(on + further) * speed;
                    if may && !run.pairs.is_valid((p, a + on), (q, b + further), nearer) {
                        return Err(format!(
                            "{one} at clock {a} in {p} and {other} at clock {b} in {q} are too near"
                        ));
                    }
                }
            }
        }
        Ok(())
    }

    fn check_end(&self, run: &Run) -> Result<(), String> {
        if let Some(tile) = self.in_place.as_ref().and_then(|world| world.differs(&self.lockstep)) {
            return Err(format!("at the end, tile {tile} bears another mark than in lock-step"));
        }
        for (name, agent) in self.agents.iter().enumerate() {
            let comes = self.lockstep.life(name).is_some();
            if comes && agent.clock != run.world.stop(name) {
                return Err(format!("at the end, {name} is at clock {}", agent.clock));
            }
        }
        Ok(())
    }

    /// Appends all that the future hangs on: who has come how far, in which course of the world,
    /// the content of a world changed in place, and all that the scheduler's later answers depend
    /// on. (The content of a versioned world, and everybody's place, follow from clock and course.)
    pub fn describe(&self, world: &SmallWorld, out: &mut Vec<u8>) {
        for agent in &self.agents {
            out.extend([agent.clock, agent.phase as u8, agent.id, agent.with.0]);
        }
        out.extend(self.joined(world).into_iter().map(|step| step.unwrap_or(u8::MAX)));
        if let Some(world) = &self.in_place {
            world.describe(out);
        }
        self.scheduler.describe(out);
    }

    /// A line on what somebody who follows the events sees: everybody's clock and place, with a
    /// star for who is in the middle of a step.
    #[must_use]
    pub fn scene(&self, run: &Run) -> String {
        let agent = |(name, clock)| {
            let at = run.map.area.place(self.lockstep.at(name, clock));
            let running = if self.agents[name].with.is_empty() { "" } else { "*" };
            format!("{name} at {clock}{running} in {at:?}")
        };
        self.present().map(agent).collect::<Vec<_>>().join("; ")
    }
}
