//! All that is drawn for one random world before it is run: where, who, which kinds of events, and
//! who takes long.

use headway_core::{Footprint, Metric, Rule, Step};

use crate::agent::State;
use crate::ground::{Axes, Ground, Nodes, Place, distance};
use crate::kind::{GroundKind, Kind};
use crate::random::Random;

/// Which kinds of events there are. Whole kinds are left out of some worlds, so that each kind also
/// meets worlds without the others.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "one switch for each kind")]
pub struct Events {
    /// Agents move.
    pub moves: bool,
    /// Agents leave marks on places.
    pub marks: bool,
    /// Agents send messages to whom they see.
    pub messages: bool,
    /// Agents call out to whoever stands near.
    pub calls: bool,
    /// Somebody is added.
    pub joins: bool,
    /// Somebody is removed.
    pub leaves: bool,
    /// Generations that are brought about by others.
    pub generations: u32,
}

impl Events {
    /// All, but that nobody joins, leaves or is brought about.
    pub const SAME_AGENTS: Self = Self {
        moves: true,
        marks: true,
        messages: true,
        calls: true,
        joins: false,
        leaves: false,
        generations: 0,
    };

    fn draw(random: &mut Random, rule: Rule) -> Self {
        let mut on = || !random.chance(4);
        let (moves, marks, messages, calls) = (on(), on(), on(), on());
        let (joins, leaves, children) = (on() && on(), on() && on(), on() && on());
        // A child is an effect of a step, and in a world changed in place it has no version.
        let children = children && rule == Rule::Conservative;
        let generations = if children { 1 + random.below(3) as u32 } else { 0 };
        Self { moves, marks, messages, calls, joins, leaves, generations }
    }
}

/// Whose step takes how long.
#[derive(Clone, Copy, Debug)]
pub enum Latencies {
    /// All alike.
    Alike,
    /// That of the agent with this number takes long.
    OneSlow(usize),
    /// Those of every second agent take long.
    HalfSlow,
    /// Whoever is farthest ahead is fastest.
    LeadersFast,
}

/// At which moment of its step an agent reads.
#[derive(Clone, Copy, Debug)]
pub enum Reads {
    /// At its start.
    First,
    /// Some time.
    Anytime,
    /// At its end.
    Last,
}

/// What decides the order of completion.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Whose step takes how long.
    pub latencies: Latencies,
    /// At which moment of its step an agent reads.
    pub reads: Reads,
    /// Whoever may go starts at once.
    pub eager: bool,
    /// Several are started, and several finish, in one call.
    pub batches: bool,
}

impl Pace {
    fn draw(random: &mut Random, agents: usize) -> Self {
        let latencies = match random.below(6) {
            0 => Latencies::Alike,
            1 | 2 => Latencies::OneSlow(random.below(agents as u64) as usize),
            3 => Latencies::HalfSlow,
            _ => Latencies::LeadersFast,
        };
        let reads = random.pick(&[Reads::First, Reads::Anytime, Reads::Anytime, Reads::Last]);
        Self { latencies, reads, eager: random.chance(2), batches: random.chance(2) }
    }
}

/// What is wrong on purpose, where a test wants to see it noticed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// By how much children stand farther away than is allowed.
    pub too_far: f64,
    /// Agents perceive by this metric, whatever the ground's.
    pub perceives: Option<Metric>,
    /// The members of a cluster take effect in the order in which they have read.
    pub commits_as_read: bool,
}

/// One random world.
#[derive(Clone, Debug)]
pub struct Setting {
    /// It decides everything.
    pub seed: u64,
    /// Of which kind it is.
    pub kind: Kind,
    /// Its places.
    pub ground: Ground,
    /// Its agents at first.
    pub starts: Vec<State>,
    /// Its number of steps.
    pub steps: Step,
    /// What happens in it.
    pub events: Events,
    /// In which order.
    pub pace: Pace,
    /// What is wrong in it.
    pub faults: Faults,
}

impl Setting {
    /// The world of a seed.
    pub fn new(seed: u64) -> Self {
        Self::of_kind(seed, Kind::of(seed))
    }

    /// The world of this seed and kind.
    pub fn of_kind(seed: u64, kind: Kind) -> Self {
        let mut random = Random(seed);
        let agents = random.between(3, 10) as usize;
        let footprints = kind.footprints.draw(kind.ground, &mut random, agents);
        let all = widest(&footprints);
        let ground = draw_ground(kind, &all, &mut random);
        let mut state = |(value, footprint)| {
            let at = ground.anywhere(&mut random);
            State { at, value: value as u64, footprint }
        };
        let starts = footprints.into_iter().enumerate().map(&mut state).collect();
        let steps = random.between(8, 16) as Step;
        let events = Events::draw(&mut random, kind.rule);
        let pace = Pace::draw(&mut random, agents);
        Self { seed, kind, ground, starts, steps, events, pace, faults: Faults::default() }
    }

    /// The smallest footprint that covers those of all who are there at first.
    pub fn widest(&self) -> Footprint {
        let all: Vec<_> = self.starts.iter().map(|state| state.footprint).collect();
        widest(&all)
    }

    /// Whether somebody at `p` who sees this far perceives what is at `q`.
    pub fn sees(&self, p: Place, q: Place, sight: f64) -> bool {
        let away = match self.faults.perceives {
            Some(metric) => distance(metric, None, p, q),
            None => self.ground.distance(p, q),
        };
        away <= sight
    }

    /// Whether somebody at `p` hears this one call.
    pub fn hears(&self, p: Place, caller: &State) -> bool {
        self.ground.distance(p, caller.at) <= caller.footprint.reach
    }

    /// Somebody brought about by one in this state, no faster than it and as far away as it may be.
    pub fn child(&self, parent: State, hash: u64) -> State {
        let mut random = Random(hash);
        let Footprint { reach, speed, .. } = parent.footprint;
        let mut part_of = |x: f64| match self.kind.ground {
            GroundKind::Plane(..) => x * random.unit(),
            _ => random.between(0, x as i64) as f64,
        };
        let own_speed = part_of(speed);
        let own_reach = own_speed + part_of(reach + speed - own_speed);
        let sight = part_of(4.0);
        let limit = reach - (own_reach - speed).max(0.0) + self.faults.too_far;
        State {
            at: self.ground.near(parent.at, limit, &mut random),
            value: hash,
            footprint: Footprint { sight, reach: own_reach, speed: own_speed },
        }
    }
}

fn widest(footprints: &[Footprint]) -> Footprint {
    let all = footprints.iter().copied().reduce(|a, b| a.union(&b));
    all.expect("somebody is there")
}

/// A ground from crowded to empty, measured by how far these agents matter to each other.
fn draw_ground(kind: Kind, all: &Footprint, random: &mut Random) -> Ground {
    let near = all.sight.max(all.reach) + all.reach + all.speed + 1.0;
    // Agents that must advance together need more room to part.
    let (lo, hi) = if kind.rule == Rule::Conservative { (0.7, 3.0) } else { (1.5, 4.0) };
    let mut times = |more: f64| near * more * (lo + random.unit() * (hi - lo));
    let mut axes = |metric, wrapped| {
        let more = if wrapped { 1.7 } else { 1.0 };
        Axes { metric, size: [times(more), times(more)], wrapped }
    };
    match kind.ground {
        GroundKind::Grid(metric, wrapped) => {
            let axes = axes(metric, wrapped);
            Ground::Grid(Axes { size: axes.size.map(f64::ceil), ..axes })
        }
        GroundKind::Plane(metric, wrapped) => Ground::Plane(axes(metric, wrapped)),
        GroundKind::Graph => {
            let nodes = times(2.0) as usize;
            Ground::Graph(Nodes::draw(random, nodes))
        }
    }
}
