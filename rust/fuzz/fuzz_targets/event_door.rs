//! `headway_proof::fuzz::event_door` on libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| headway_proof::fuzz::event_door::run(data));
