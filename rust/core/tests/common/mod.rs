//! The usual villager, and all tuples of small numbers.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]

use headway_core::{Footprint, NewAgent};

/// All tuples of numbers, each below the limit given.
pub fn product(limits: [u32; 6]) -> impl Iterator<Item = (u32, u32, u32, u32, u32, u32)> {
    (0..limits.iter().product()).map(move |mut code| {
        let [a, b, c, d, e, f] = limits.map(|limit| {
            let digit = code % limit;
            code /= limit;
            digit
        });
        (a, b, c, d, e, f)
    })
}

/// Sees four tiles far, walks one.
pub const VILLAGER: Footprint = Footprint { sight: 4.0, reach: 1.0, speed: 1.0 };

pub const fn villager_at(x: i32, y: i32) -> NewAgent<[i32; 2]> {
    NewAgent { position: [x, y], footprint: VILLAGER, world: 0 }
}
