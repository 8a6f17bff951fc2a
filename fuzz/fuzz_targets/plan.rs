//! The plan that emerge prints, with the index of binary packages behind it.
#![no_main]

use libfuzzer_sys::fuzz_target;

use gbsup::portage::files::index;
use gbsup::portage::output::plan::Reader;

fuzz_target!(|data: &[u8]| {
    let (plan, packages) = match data.windows(2).position(|two| two == b"\0\0") {
        Some(at) => data.split_at(at),
        None => (data, &b""[..]),
    };
    let mut reader = Reader::new();
    for line in plan.split(|&byte| byte == b'\n') {
        reader.line(line);
    }
    drop(reader.unread());
    drop(reader.finish(&index::binaries(packages)).totals());
});
