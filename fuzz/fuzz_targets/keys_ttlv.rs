//! Items of KMIP.
#![no_main]

#[path = "../../crates/keys/tests/bodies/mod.rs"]
#[expect(dead_code, reason = "each target runs one of the bodies")]
mod bodies;

libfuzzer_sys::fuzz_target!(|data: &[u8]| bodies::ttlv(data));
