//! Inputs without a fuzzer: the seeds of a target, and drawn at random. Which one it is depends on
//! its number alone, so a number replays it.

use super::Target;
use crate::random::Random;

/// The seeds of a target.
///
/// # Panics
/// On a line that is no hexadecimal number of whole bytes.
pub fn seeds(target: &Target) -> Vec<Vec<u8>> {
    let lines = target.seeds.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| bytes(line).unwrap_or_else(|| panic!("{}: {line}", target.name))).collect()
}

fn bytes(line: &str) -> Option<Vec<u8>> {
    let pairs = line.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// The input of this number: every other one is a seed after a few changes, if there are seeds.
pub fn numbered(number: u64, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut random = Random(number);
    if seeds.is_empty() || number.is_multiple_of(2) {
        return drawn(&mut random);
    }
    let mut input = any(&mut random, seeds).clone();
    for _ in 0..=random.below(4) {
        change(&mut input, &mut random, seeds);
    }
    input
}

/// Mostly few bytes, and many of them small, as choices are.
fn drawn(random: &mut Random) -> Vec<u8> {
    let most = 1 << (5 + random.below(6));
    let length = random.below(most);
    let end = if random.below(3) == 0 { 16 } else { 256 };
    (0..length).map(|_| random.below(end) as u8).collect()
}

/// A change as fuzzers make them: of one byte, of one bit, less, more, or the rest of another.
fn change(input: &mut Vec<u8>, random: &mut Random, seeds: &[Vec<u8>]) {
    let at = random.below(input.len() as u64 + 1) as usize;
    let end = input.len().min(at + 1 + random.below(8) as usize);
    match random.below(6) {
        0 if at < end => input[at] = random.below(256) as u8,
        1 if at < end => input[at] ^= 1 << random.below(8),
        2 => drop(input.drain(at..end)),
        3 => input.extend_from_within(at..end),
        4 => {
            let other = any(random, seeds);
            let start = other.len().min(at);
            input.truncate(at);
            input.extend_from_slice(&other[start..]);
        }
        _ => input.insert(at, random.below(16) as u8),
    }
}

fn any<'a>(random: &mut Random, seeds: &'a [Vec<u8>]) -> &'a Vec<u8> {
    &seeds[random.below(seeds.len() as u64) as usize]
}
