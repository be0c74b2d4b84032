#![no_main]
#![forbid(unsafe_code)]

use libfuzzer_sys::fuzz_target;
use sio_checks::check;

fuzz_target!(|input: &[u8]| check("wire_log", input));
