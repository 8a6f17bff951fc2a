//! The log of the scheduler at its most talkative: by whom each file was compiled.
//!
//! ```text
//! [8] 2026-11-29 00:34:19: END 3 status=0 in=900(40%) out=800(50%) real=120 user=90 sys=9 pfaults=1 server=h1
//! ```
//!
//! Of the file itself it has no more than the last three parts of its path, so that it does not tell the package.

/// The name of the daemon that has compiled a file without error.
#[must_use]
pub fn compiled_by(line: &str) -> Option<&str> {
    let (_, said) = line.split_once(": ")?;
    let (_job, rest) = said.strip_prefix("END ")?.split_once(' ')?;
    let (_, by) = rest.strip_prefix("status=0 ")?.split_once(" server=")?;
    Some(by.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_compiled_a_file() {
        let line = "[8] 2026-11-29 00:34:19: END 3 status=0 in=0(0%) out=0(0%) real=1 user=1 sys=1 pfaults=0 server=h1\n";
        assert_eq!(compiled_by(line), Some("h1"));
        for other in [
            "",
            "[8] 2026-11-29 00:34:18: put 3 in joblist of h1",
            "[8] 2026-11-29 00:34:19: END 3 status=1 in=0(0%) server=h1",
            "[8] 2026-11-29 00:34:19: END 3 status=0",
            "[8] 2026-11-29 00:34:18: NEW 3 client=builder versions=[] work/x/END 3 status=0 server=h1 C 0",
        ] {
            assert_eq!(compiled_by(other), None, "{other}");
        }
    }
}
