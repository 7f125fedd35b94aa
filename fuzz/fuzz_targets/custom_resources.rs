#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| yagura_fuzz::objects::custom_resources(data));
