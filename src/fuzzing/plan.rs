//! The plan that emerge prints, with the index of binary packages behind it.
use crate::portage::files::index;
use crate::portage::output::plan::Reader;

/// Reads it.
pub fn run(data: &[u8]) {
    let (plan, packages) = match data.windows(2).position(|two| two == b"\0\0") {
        Some(at) => data.split_at(at),
        None => (data, &b""[..]),
    };
    let mut reader = Reader::new();
    for line in plan.split(|&byte| byte == b'\n') {
        reader.line(line);
    }
    let _ = reader.unread();
    let _ = reader.finish(&index::binaries(packages)).totals();
}
