//! What is wrong with a configuration, and where.

use std::fmt;
use std::io;

/// So many problems are told one by one.
const TOLD: usize = 100;

/// Where a value or a problem is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The file as a whole.
    File(String),
    /// A line of the file, counted from 1.
    Line(String, usize),
    /// An environment variable.
    Variable(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => f.write_str(file),
            Self::Line(file, line) => write!(f, "{file}:{line}"),
            Self::Variable(name) => f.write_str(name),
        }
    }
}

/// One thing that is wrong with the configuration. Its `Display` is one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub(super) place: Place,
    /// `[section] key`, as far as it is known.
    pub(super) key: Option<String>,
    pub(super) reason: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        f.write_str(&self.reason)
    }
}

/// Everything that is wrong with the configuration, one line each; never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// The first problems, and the number of the others.
    pub(super) fn new(mut problems: Vec<Problem>) -> Self {
        let more = problems.len().saturating_sub(TOLD);
        if let Some(first) = problems.get(TOLD).filter(|_| more > 1) {
            let (place, reason) = (first.place.clone(), format!("and {more} more problems from here on"));
            problems.truncate(TOLD);
            problems.push(Problem { place, key: None, reason });
        }
        Self(problems)
    }

    /// The one problem of a file that is there and cannot be read.
    pub(super) fn unreadable(file: &str, error: &io::Error) -> Self {
        let reason = format!("cannot be read: {error}");
        Self(vec![Problem { place: Place::File(file.into()), key: None, reason }])
    }

    /// One by one: the file's by line, then the environment's.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Problem> {
        self.0.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.0.iter().map(Problem::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}
