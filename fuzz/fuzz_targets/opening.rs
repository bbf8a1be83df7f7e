#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    zkinfer_fuzz::opening(bytes);
});
