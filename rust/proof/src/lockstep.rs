//! Lock-step: in every step all agents read what was there at its start, then all effects are
//! applied, by agent. This is what a run in any other order must equal.

use std::collections::{BTreeMap, BTreeSet};

use headway_core::Step;

use crate::agent::{Key, State, child_of, root};
use crate::setting::Setting;
use crate::world::World;

/// Somebody came or went by itself in a run.
#[derive(Clone, Copy, Debug)]
pub enum Change {
    /// It joined at the start of this step.
    Join(Step, State),
    /// It executed no step from the first one on, and was gone from the snapshot of the second.
    Leave(Step, Key, Step),
}

/// Runs a world in lock-step, with the joins and leaves that another run of it had.
pub fn lockstep<W: World>(setting: &Setting, changes: &[Change]) -> W {
    let mut world = W::new();
    let mut present = BTreeSet::new();
    for (number, state) in setting.starts.iter().enumerate() {
        present.insert(root(number));
        world.join(root(number), 0, *state);
    }
    let mut changes = by_step(setting, changes);
    for step in 0..setting.steps {
        for (agent, change) in changes.remove(&step).unwrap_or_default() {
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

/// Those who are added are numbered in that order, whatever the steps joined at.
fn by_step(setting: &Setting, changes: &[Change]) -> BTreeMap<Step, Vec<(Key, Change)>> {
    let mut joined = setting.starts.len();
    let mut by_step: BTreeMap<Step, Vec<(Key, Change)>> = BTreeMap::new();
    for change in changes {
        match change {
            Change::Join(step, _) => {
                by_step.entry(*step).or_default().push((root(joined), *change));
                joined += 1;
            }
            Change::Leave(step, agent, _) => {
                by_step.entry(*step).or_default().push((*agent, *change));
            }
        }
    }
    by_step
}
