//! A small seeded generator (PCG-XSH-RR), so that one integer repeats any failure.

pub(crate) struct Chance {
    state: u64,
}

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        let mut chance = Self { state: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) };
        chance.next();
        chance
    }

    pub(crate) fn next(&mut self) -> u32 {
        let old = self.state;
        self.state =
            old.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        let shifted = (((old >> 18) ^ old) >> 27) as u32;
        shifted.rotate_right((old >> 59) as u32)
    }

    /// From `least` to `most`, both included.
    pub(crate) fn within(&mut self, least: u32, most: u32) -> u32 {
        least + self.next() % (most - least + 1)
    }

    pub(crate) fn percent(&mut self, percent: u32) -> bool {
        self.next() % 100 < percent
    }

    pub(crate) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.next() as usize % choices.len()]
    }
}
