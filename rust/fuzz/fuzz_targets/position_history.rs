//! `headway_proof::fuzz::position_history` on libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| headway_proof::fuzz::position_history::run(data));
