//! MAKEOPTS (make.conf(5)): how many processes one build runs at the same time.

/// The number of jobs these options ask for; nothing when they ask for none, or for as many as there
/// are things to do. The last one counts, as for make itself.
pub(crate) fn jobs(makeopts: &str) -> Option<u32> {
    let mut words = makeopts.split_whitespace().peekable();
    let mut jobs = None;
    while let Some(word) = words.next() {
        let Some(value) = asked(word) else { continue };
        let number = if value.is_empty() { words.peek().copied().unwrap_or_default() } else { value };
        jobs = number.parse().ok();
    }
    jobs
}

/// What a word asks for as the number of jobs; empty when the number may be the next word, or is none.
fn asked(word: &str) -> Option<&str> {
    match word.strip_prefix("--jobs") {
        Some("") => Some(""),
        Some(value) => value.strip_prefix('='),
        None => word.strip_prefix("-j").map(|value| value.strip_prefix('=').unwrap_or(value)),
    }
}

/// The word that make ends with, since it is no number of jobs. What a shell has to work out may be one: `-j$(nproc)`.
pub(crate) fn broken(makeopts: &str) -> Option<&str> {
    let is_broken =
        |value: &str| !value.contains(['$', '`']) && !value.is_empty() && value.parse::<u32>().is_err();
    makeopts.split_whitespace().find(|word| asked(word).is_some_and(is_broken))
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
        assert_eq!(jobs("-j8 --jobserver-style=fifo"), Some(8));
    }

    /// GNU make 4.3 ends with `the '-j' option requires a positive integer argument`.
    #[test]
    fn what_make_ends_with() {
        for (makeopts, word) in [
            ("-l4 -j8,", Some("-j8,")),
            ("-jauto", Some("-jauto")),
            ("--jobs=x", Some("--jobs=x")),
            ("-j8 -l4 --jobserver-style=fifo -s", None),
            ("-j$(nproc) -j", None),
            ("-j `nproc`", None),
        ] {
            assert_eq!(broken(makeopts), word, "{makeopts}");
        }
    }
}
