//! MAKEOPTS (make.conf(5)): how many processes one build runs at the same time.

/// The number of jobs these options ask for; nothing when they ask for none, or for as many as there
/// are things to do. The last one counts, as for make itself.
pub(crate) fn jobs(makeopts: &str) -> Option<u32> {
    let mut words = makeopts.split_whitespace().peekable();
    let mut jobs = None;
    while let Some(word) = words.next() {
        let Some(value) = ["--jobs", "-j"].iter().find_map(|option| word.strip_prefix(option)) else {
            continue;
        };
        let value = value.strip_prefix('=').unwrap_or(value);
        let number = if value.is_empty() { words.peek().copied().unwrap_or_default() } else { value };
        jobs = number.parse().ok();
    }
    jobs
}

/// The same options with so many jobs.
pub(crate) fn with_jobs(makeopts: &str, jobs: u32) -> String {
    format!("{makeopts} -j{jobs}").trim_start().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_number_counts() {
        for (makeopts, expected) in [
            ("-j8", Some(8)),
            ("-j 8 -l8", Some(8)),
            ("--jobs=4 --load-average=8", Some(4)),
            ("--jobs 4", Some(4)),
            ("-j8 -j2", Some(2)),
            ("-l8 -j", None),
            ("-j -l8", None),
            ("-s", None),
            ("", None),
        ] {
            assert_eq!(jobs(makeopts), expected, "{makeopts}");
            assert_eq!(jobs(&with_jobs(makeopts, 3)), Some(3), "{makeopts}");
        }
        assert_eq!(with_jobs("", 1), "-j1");
    }
}
