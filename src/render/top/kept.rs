//! The end of a log, as much of it as is kept.

use std::collections::VecDeque;

/// Lines that are kept.
const LINES: usize = 20_000;
/// Bytes of a line that are kept.
const LONGEST: usize = 4096;

/// The end of a log.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// What it is the log of.
    pub name: String,
    /// Why there are no lines.
    pub problem: Option<String>,
    lines: VecDeque<String>,
    /// The line that is being written.
    open: String,
    /// How many lines there were before those that are kept, as far as they were seen.
    before: u64,
    /// There are earlier ones in the file.
    pub(super) has_more: bool,
}

impl Log {
    /// A log of which nothing is known yet but that there is more of it than will be told.
    #[must_use]
    pub fn new(name: String, has_more: bool) -> Self {
        Self { name, has_more, ..Self::default() }
    }

    /// Takes in what follows: whole lines, and what is there of the next one.
    pub fn push(&mut self, lines: Vec<String>, open: String) {
        for mut line in lines {
            line.truncate(line.floor_char_boundary(LONGEST));
            self.lines.push_back(line);
        }
        let over = self.lines.len().saturating_sub(LINES);
        self.lines.drain(..over);
        self.before += over as u64;
        self.has_more |= over > 0;
        self.open = open;
        self.open.truncate(self.open.floor_char_boundary(LONGEST));
    }

    /// The number of the first line that is kept.
    #[must_use]
    pub fn first(&self) -> u64 {
        self.before
    }

    /// The number after the last line.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.before + self.lines.len() as u64 + u64::from(!self.open.is_empty())
    }

    pub(super) fn line(&self, number: u64) -> Option<&str> {
        let at = usize::try_from(number.checked_sub(self.before)?).ok()?;
        let open = (at == self.lines.len() && !self.open.is_empty()).then_some(self.open.as_str());
        self.lines.get(at).map(String::as_str).or(open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_much_of_a_log_is_kept() {
        let mut log = Log::new("x".into(), false);
        log.push((0..LINES + 5).map(|n| n.to_string()).collect(), "é".repeat(LONGEST));
        assert_eq!((log.first(), log.end()), (5, LINES as u64 + 6));
        assert_eq!((log.line(4), log.line(5)), (None, Some("5")));
        assert_eq!(log.line(LINES as u64 + 5).map(str::len), Some(LONGEST));
        log.push(vec!["whole".into()], String::new());
        assert_eq!(log.line(log.end() - 1), Some("whole"));
    }
}
