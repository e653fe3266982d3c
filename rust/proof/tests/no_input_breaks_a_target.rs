//! Each target of `rust/fuzz` without libFuzzer: on its seeds, and on inputs drawn at random.

use std::panic;
use std::path::Path;

use headway_proof::fuzz::TARGETS;

const INPUTS: u64 = 3000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|value| value.parse().ok())
}

/// Bytes that one integer stands for, mostly few, and many of them small, as choices are.
fn input(seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        // `SplitMix64`.
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    };
    let length = next() % (1 << (5 + next() % 6));
    let small = next() % 3 == 0;
    (0..length).map(|_| if small { next() % 16 } else { next() } as u8).collect()
}

fn try_one(target: fn(&[u8]), data: &[u8], how: &str) {
    if let Err(reason) = panic::catch_unwind(|| target(data)) {
        eprintln!("replay with: {how}; the input is {data:?}");
        panic::resume_unwind(reason);
    }
}

#[test]
fn no_seed_breaks_a_target() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds");
    for (name, target) in TARGETS {
        let mut seeds = 0;
        for entry in folder.join(name).read_dir().expect("every target has seeds") {
            let path = entry.expect("a file").path();
            let data = std::fs::read(&path).expect("a file that can be read");
            try_one(target, &data, &format!("the seed {}", path.display()));
            seeds += 1;
        }
        assert!(seeds > 0, "{name} has no seeds");
    }
}

#[test]
fn no_random_input_breaks_a_target() {
    let inputs = number("HEADWAY_SEEDS").unwrap_or(INPUTS);
    let seeds = number("HEADWAY_SEED").map_or(0..inputs, |seed| seed..seed + 1);
    for (name, target) in TARGETS {
        for seed in seeds.clone() {
            let how = format!(
                "HEADWAY_SEED={seed} cargo test -p headway-proof --test no_input_breaks_a_target"
            );
            try_one(target, &input(seed), &format!("{how} ({name})"));
        }
    }
}
