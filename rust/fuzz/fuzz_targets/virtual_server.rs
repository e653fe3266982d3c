//! `headway_proof::fuzz::virtual_server` on libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| headway_proof::fuzz::virtual_server::run(data));
