//! Drawn crowds: where everybody stands, where they walk, how long their steps take.

use headway_core::{AgentId, Footprint, NewAgent, Step};

/// Tiles for each agent, as in a town.
const TILES_PER_AGENT: u64 = 50;

/// How far behind the straggler begins, in steps.
const STRAGGLER_LAG: Step = 200;

/// Everybody's footprint.
pub(crate) const VILLAGER: Footprint = Footprint { sight: 4.0, reach: 1.0, speed: 1.0 };

/// What a crowd is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Workload {
    /// Anywhere, and steps take as long as calls of a model do, or next to nothing.
    Random,
    /// The same, but half of them stand in a hundredth of the area, as in a city centre.
    Clustered,
    /// Anywhere, and all steps take about as long: everybody is near the frontier.
    Frontier,
    /// As `Random`, but one in the middle is 200 steps behind.
    Straggler,
}

impl Workload {
    pub(crate) const ALL: [Self; 4] =
        [Self::Random, Self::Clustered, Self::Frontier, Self::Straggler];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Clustered => "clustered",
            Self::Frontier => "frontier",
            Self::Straggler => "straggler",
        }
    }
}

/// A crowd at its start.
pub(crate) struct Crowd {
    workload: Workload,
    seed: u64,
    /// Corners of the area and of the centre, the upper ones left out.
    area: [[i32; 2]; 2],
    centre: [[i32; 2]; 2],
    pub(crate) agents: Vec<NewAgent<[i32; 2]>>,
    pub(crate) clocks: Vec<Step>,
}

impl Crowd {
    pub(crate) fn draw(workload: Workload, count: u32, seed: u64) -> Self {
        let side = (u64::from(count) * TILES_PER_AGENT).isqrt().max(1) as i32;
        let (middle, half) = (side / 2, (side / 20).max(1));
        let mut crowd = Self {
            workload,
            seed,
            area: [[0, 0], [side, side]],
            centre: [[middle - half, middle - half], [middle + half, middle + half]],
            agents: Vec::with_capacity(count as usize),
            clocks: Vec::with_capacity(count as usize),
        };
        for i in 0..count {
            let [lo, hi] = crowd.home(AgentId(i));
            let dice = mix(seed ^ mix(u64::from(i)));
            let along =
                |axis: usize, dice: u64| lo[axis] + (dice % (hi[axis] - lo[axis]) as u64) as i32;
            let mut position = [along(0, dice & 0xFFFF_FFFF), along(1, dice >> 32)];
            let mut clock = 0;
            if workload == Workload::Straggler {
                if i == 0 {
                    position = [middle, middle];
                } else {
                    // As far as the conservative rule lets anybody come.
                    let away = (position[0] - middle).abs().max((position[1] - middle).abs());
                    let beyond = away - (VILLAGER.sight + VILLAGER.reach) as i32;
                    clock = beyond.clamp(0, STRAGGLER_LAG as i32) as Step;
                }
            }
            crowd.agents.push(NewAgent { position, footprint: VILLAGER, world: 0 });
            crowd.clocks.push(clock);
        }
        crowd
    }

    /// The corners of where an agent stays.
    fn home(&self, id: AgentId) -> [[i32; 2]; 2] {
        let central = self.workload == Workload::Clustered && id.0.is_multiple_of(2);
        if central { self.centre } else { self.area }
    }

    /// Where an agent stands after its step: half of them stay, the others go to a tile beside.
    pub(crate) fn walk(&self, id: AgentId, step: Step, from: [i32; 2]) -> [i32; 2] {
        let dice = self.dice(id, step, 1);
        if dice & 1 == 0 {
            return from;
        }
        let [lo, hi] = self.home(id);
        let along = |axis: usize, dice: u64| {
            (from[axis] + (dice % 3) as i32 - 1).clamp(lo[axis], hi[axis] - 1)
        };
        [along(0, dice >> 8 & 0xFFFF), along(1, dice >> 32)]
    }

    /// How long a step takes: one in eight makes calls, which take up to 200 times as long as
    /// what makes none.
    pub(crate) fn duration(&self, id: AgentId, step: Step) -> u64 {
        let dice = self.dice(id, step, 2);
        match self.workload {
            Workload::Frontier => 1000 + dice % 100,
            _ if dice.is_multiple_of(8) => 1000 + (dice >> 8) % 19_000,
            _ => 90 + (dice >> 8) % 20,
        }
    }

    fn dice(&self, id: AgentId, step: Step, what: u64) -> u64 {
        mix(self.seed ^ mix(u64::from(id.0) << 32 | u64::from(step)) ^ what)
    }
}

/// A number that looks drawn (the finaliser of `splitmix64`).
pub(crate) fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
