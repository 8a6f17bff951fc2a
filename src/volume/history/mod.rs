//! History on the volume: SQLite, so that a reader asks questions while the supervisor writes.
//!
//! Times are whole microseconds since the epoch: they sort and subtract as they are, in SQL too.
//! History is not state: nothing is decided by it, so a damaged file is set aside and a new one
//! begun, and the last records before a power loss may be missing.
//!
//! A cycle of a thousand packages is about 200 kB; what is older than `prune.history` goes.

pub(crate) mod forget;
mod rows;
mod tables;

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use jiff::Timestamp;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, params};

use crate::model::records::{CycleRow, FailedRow, Outcome, Record};
use rows::{
    ccache, failed, helped, logs_of_failures, maybe_time, packages, predictions, releases, remedies, steps,
    time, word,
};
use tables::{SCHEMA, VERSIONS};

/// How long to wait for the other side's lock before giving up.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why history could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The file is not there (any more).
    #[error("{0} is not there")]
    Missing(PathBuf),
    /// SQLite's own words.
    #[error("{0}: {1}")]
    Database(PathBuf, #[source] rusqlite::Error),
    /// A damaged file could not be moved out of the way.
    #[error("{0} is damaged and cannot be set aside: {1}")]
    SetAside(PathBuf, #[source] io::Error),
    /// A newer gbsup wrote it, and this one finds in it something else than it knows.
    #[error("{0} was written by a newer gbsup (its version is {1}, this one knows {SCHEMA}): {2}")]
    TooNew(PathBuf, i64, #[source] rusqlite::Error),
}

impl HistoryError {
    /// Whether what is there cannot be read by anybody.
    pub(crate) fn is_damage(&self) -> bool {
        matches!(self, Self::Database(_, error) if is_damage(error))
    }
}

/// What is wrong inside a history that could be opened. It reads all of it, beside whoever writes.
pub(crate) fn damage(path: &Path) -> Option<String> {
    let verdict = open_to_read(path)
        .and_then(|database| database.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0)));
    match verdict {
        Ok(verdict) => (verdict != "ok").then_some(verdict),
        Err(error) => is_damage(&error).then(|| error.to_string()),
    }
}

/// An open history.
pub struct History {
    path: PathBuf,
    database: Connection,
}

impl History {
    /// Opens the history for writing, making it if there is none. What cannot be read is set aside
    /// beside it; the sentence then returned says so. What is wrong further inside [`damage`] finds.
    pub fn open(path: &Path) -> Result<(Self, Option<String>), HistoryError> {
        let reason = match Self::open_sound(path) {
            Err(HistoryError::Database(_, error)) if is_damage(&error) => error.to_string(),
            other => return other.map(|history| (history, None)),
        };
        Self::replace(path, &reason).map(|(history, warning)| (history, Some(warning)))
    }

    /// Sets a history aside that cannot be used, and why, and begins a new one. Nobody of this process may have it open for
    /// writing. The sentence says so.
    pub(crate) fn replace(path: &Path, reason: &str) -> Result<(Self, String), HistoryError> {
        let aside = set_aside(path)?;
        let warning = format!(
            "the history could not be read ({reason}); it was set aside as {} and a new one begun",
            aside.display()
        );
        Ok((Self::open_sound(path)?, warning))
    }

    /// Opens the history for reading; the supervisor may be writing to it.
    pub(crate) fn read(path: &Path) -> Result<Self, HistoryError> {
        if !path.exists() {
            return Err(HistoryError::Missing(path.into()));
        }
        let opened = match open_to_read(path) {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::CannotOpen) => open_unchanging(path),
            other => other,
        };
        // An older one is read as it is, since only its builder may change it; a newer one as far as it is known.
        let database = opened.map_err(|error| HistoryError::Database(path.into(), error))?;
        Ok(Self { path: path.into(), database })
    }

    fn open_sound(path: &Path) -> Result<Self, HistoryError> {
        let wrap = |error| HistoryError::Database(path.into(), error);
        let database = Connection::open(path).map_err(wrap)?;
        let mut history = Self { path: path.into(), database };
        history.prepare().map_err(wrap)?;
        Ok(history)
    }

    /// Brings the tables of a new or older file up to date. Those of a newer one have what this version knows, and more; they
    /// and their version stay.
    fn prepare(&mut self) -> rusqlite::Result<()> {
        let database = &mut self.database;
        database.busy_timeout(PATIENCE)?;
        // Some network file systems refuse WAL; the old journal does there.
        database.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        database.pragma_update(None, "synchronous", "NORMAL")?;
        let found = version(database)?;
        let known = usize::try_from(found).unwrap_or(usize::MAX);
        if let Some(missing) = VERSIONS.get(known..).filter(|missing| !missing.is_empty()) {
            let change = database.transaction()?;
            for tables in missing {
                change.execute_batch(tables)?;
            }
            change.pragma_update(None, "user_version", SCHEMA)?;
            change.commit()?;
        }
        Ok(())
    }

    /// What SQLite says of a file that is open.
    fn problem(&self, error: rusqlite::Error) -> HistoryError {
        match version(&self.database) {
            Ok(newer) if newer > SCHEMA => HistoryError::TooNew(self.path.clone(), newer, error),
            _ => HistoryError::Database(self.path.clone(), error),
        }
    }

    /// Adds one fact.
    pub fn record(&mut self, record: &Record) -> Result<(), HistoryError> {
        // SQLite would go on writing into a file that nobody can open any more.
        if !self.path.exists() {
            return Err(HistoryError::Missing(self.path.clone()));
        }
        self.write(record).map_err(|error| self.problem(error))
    }

    fn write(&mut self, record: &Record) -> rusqlite::Result<()> {
        let change = self.database.transaction()?;
        match record {
            Record::CycleStarted { cycle, at, reason } => {
                begin_cycle(&change, *cycle, *at, reason)?;
            }
            Record::CycleEnded { cycle, at, outcome, worked } => {
                let key = cycle_key(&change, *cycle, *at)?;
                change.execute(
                    "UPDATE cycles SET ended = ?2, outcome = ?3 WHERE key = ?1",
                    params![key, at.as_microsecond(), outcome.to_string()],
                )?;
                if let Some(worked) = worked {
                    change.execute(
                        "UPDATE predictions SET took = max(0, ?2 - after) WHERE cycle = ?1",
                        params![key, worked.cast_signed()],
                    )?;
                }
            }
            Record::Predicted { cycle, at, after, packages, eta } => {
                let key = cycle_key(&change, *cycle, *at)?;
                rows::predict(&change, key, *at, *after, *packages, eta)?;
            }
            Record::StepStarted { cycle, step, at, log } => {
                let key = cycle_key(&change, *cycle, *at)?;
                change.execute(
                    "INSERT INTO steps (cycle, step, started, log) VALUES (?1, ?2, ?3, ?4)",
                    params![key, step, at.as_microsecond(), log],
                )?;
            }
            Record::StepEnded { cycle, step, at, outcome } => {
                let key = cycle_key(&change, *cycle, *at)?;
                change.execute(
                    "UPDATE steps SET ended = ?3, outcome = ?4 WHERE key =
                        (SELECT max(key) FROM steps WHERE cycle = ?1 AND step = ?2)",
                    params![key, step, at.as_microsecond(), outcome.to_string()],
                )?;
            }
            Record::Package { cycle, step, package, binary, started, ended, outcome, log, message } => {
                let key = cycle_key(&change, *cycle, *started)?;
                change.execute(
                    "INSERT INTO packages
                        (cycle, step, package, binary, started, ended, outcome, log, message)
                        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                    params![
                        key,
                        step,
                        package,
                        binary,
                        started.as_microsecond(),
                        ended.as_microsecond(),
                        outcome.to_string(),
                        log,
                        message
                    ],
                )?;
            }
            Record::RemedyStarted { cycle, step, class, packages, at, what } => {
                let key = cycle_key(&change, *cycle, *at)?;
                // Nobody saw the end of one that is still open now.
                change.execute(
                    "UPDATE remedies SET outcome = ?2 WHERE cycle = ?1 AND outcome IS NULL",
                    params![key, Outcome::Interrupted.to_string()],
                )?;
                change.execute(
                    "INSERT INTO remedies (cycle, step, class, packages, what, started)
                        VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    params![key, step, class, packages.join(" "), what, at.as_microsecond()],
                )?;
            }
            Record::RemedyEnded { cycle, at, outcome } => {
                let key = cycle_key(&change, *cycle, *at)?;
                change.execute(
                    "UPDATE remedies SET ended = ?2, outcome = ?3 WHERE cycle = ?1 AND outcome IS NULL",
                    params![key, at.as_microsecond(), outcome.to_string()],
                )?;
            }
            Record::Released { cycle, at, release, packages, again } => {
                let key = cycle_key(&change, *cycle, *at)?;
                rows::offer(&change, key, *at, *release, *packages, *again)?;
            }
            Record::Ccache { cycle, at, used } => {
                let key = cycle_key(&change, *cycle, *at)?;
                rows::count(&change, key, *used)?;
            }
            Record::Helped { cycle, at, package, files } => {
                let key = cycle_key(&change, *cycle, *at)?;
                rows::help(&change, key, package.as_deref(), *files)?;
            }
            Record::Reason { cycle, package, at, message, log } => {
                let key = cycle_key(&change, *cycle, *at)?;
                change.execute(
                    "UPDATE packages SET message = ?3, log = coalesce(log, ?4) WHERE key =
                        (SELECT max(key) FROM packages WHERE cycle = ?1 AND package = ?2)",
                    params![key, package, message, log],
                )?;
            }
        }
        change.commit()
    }

    /// The newest cycles, newest first; without a limit all of them.
    pub(crate) fn cycles(&self, limit: Option<u32>) -> Result<Vec<CycleRow>, HistoryError> {
        self.select(limit).map_err(|error| self.problem(error))
    }

    /// Builds that failed and left a log, the newest first, whatever became of their packages later.
    pub(crate) fn failed(&self) -> Result<Vec<FailedRow>, HistoryError> {
        // A reader may come after the file was made and before its tables were.
        let rows = version(&self.database)
            .and_then(|version| if version == 0 { Ok(Vec::new()) } else { failed(&self.database) });
        rows.map_err(|error| self.problem(error))
    }

    /// The highest number that a cycle ever had.
    #[cfg(test)]
    pub(crate) fn last_cycle(&self) -> Result<Option<u64>, HistoryError> {
        self.database
            .query_row("SELECT max(number) FROM cycles", [], |row| row.get::<_, Option<i64>>(0))
            .map(|number| number.and_then(|number| u64::try_from(number).ok()))
            .map_err(|error| self.problem(error))
    }

    /// The logs of packages that failed and were not built since.
    pub(crate) fn logs_of_failures(&self) -> Result<Vec<String>, HistoryError> {
        logs_of_failures(&self.database).map_err(|error| self.problem(error))
    }

    fn select(&self, limit: Option<u32>) -> rusqlite::Result<Vec<CycleRow>> {
        // One transaction, so that all queries see the same moment.
        let moment = self.database.unchecked_transaction()?;
        let version = version(&moment)?;
        // A reader may come after the file was made and before its tables were.
        if version == 0 {
            return Ok(Vec::new());
        }
        let mut query = moment.prepare_cached(
            "SELECT key, number, started, reason, ended, outcome FROM cycles ORDER BY key DESC LIMIT ?1",
        )?;
        let rows = query.query_map([limit.map_or(-1, i64::from)], |row| {
            let cycle = CycleRow {
                id: u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0),
                started: time(row, 2)?,
                reason: row.get(3)?,
                ended: maybe_time(row, 4)?,
                outcome: word(row, 5)?,
                steps: Vec::new(),
                packages: Vec::new(),
                predictions: Vec::new(),
                remedies: Vec::new(),
                releases: Vec::new(),
                ccache: None,
                files: None,
            };
            Ok((row.get::<_, i64>(0)?, cycle))
        })?;
        let mut cycles = Vec::new();
        for row in rows {
            let (key, mut cycle) = row?;
            cycle.steps = steps(&moment, key)?;
            cycle.packages = packages(&moment, key)?;
            if version >= 2 {
                cycle.predictions = predictions(&moment, key)?;
            }
            if version >= 3 {
                cycle.remedies = remedies(&moment, key)?;
            }
            if version >= 4 {
                cycle.releases = releases(&moment, key)?;
            }
            if version >= 5 {
                cycle.ccache = ccache(&moment, key)?;
            }
            if version >= 6 {
                let mut files = helped(&moment, key)?;
                cycle.files = files.remove("");
                for package in &mut cycle.packages {
                    package.files = files.remove(&package.package);
                }
            }
            cycles.push(cycle);
        }
        Ok(cycles)
    }
}

fn begin_cycle(database: &Connection, number: u64, at: Timestamp, reason: &str) -> rusqlite::Result<i64> {
    // Nobody saw the end of a cycle that is still open now.
    database.execute(
        "UPDATE cycles SET outcome = ?1 WHERE outcome IS NULL",
        params![Outcome::Interrupted.to_string()],
    )?;
    database.execute(
        "INSERT INTO cycles (number, started, reason) VALUES (?1, ?2, ?3)",
        params![number.cast_signed(), at.as_microsecond(), reason],
    )?;
    Ok(database.last_insert_rowid())
}

/// The key of the newest cycle with this number. One that is not there (the history was set aside
/// in the middle of it) is begun, so that what follows is not lost.
fn cycle_key(database: &Connection, number: u64, at: Timestamp) -> rusqlite::Result<i64> {
    let known = database
        .query_row("SELECT max(key) FROM cycles WHERE number = ?1", [number.cast_signed()], |row| row.get(0))
        .optional()?
        .flatten();
    match known {
        Some(key) => Ok(key),
        None => begin_cycle(database, number, at, "unknown"),
    }
}

fn open_to_read(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let database = Connection::open_with_flags(path, flags)?;
    database.busy_timeout(PATIENCE)?;
    // Whether it can be read is known only then.
    version(&database)?;
    Ok(database)
}

/// On a file system that is read-only SQLite cannot make the files that readers and writers share.
/// Nobody writes there, so it needs none; what only the journal has is left out.
fn open_unchanging(path: &Path) -> rusqlite::Result<Connection> {
    const SPECIAL: &AsciiSet = &CONTROLS.add(b'%').add(b'?').add(b'#');
    let path = path.to_string_lossy();
    let uri = format!("file:{}?immutable=1", utf8_percent_encode(&path, SPECIAL));
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let database = Connection::open_with_flags(uri, flags)?;
    // Whether it can be read is known only then.
    version(&database)?;
    Ok(database)
}

fn version(database: &Connection) -> rusqlite::Result<i64> {
    database.query_row("PRAGMA user_version", [], |row| row.get(0))
}

fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// Moves a history and its journal out of the way; returns where it is now.
fn set_aside(path: &Path) -> Result<PathBuf, HistoryError> {
    let now = Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
    let suffixed = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let mut aside = suffixed(&format!(".damaged-{now}"));
    let mut again = 1;
    while aside.exists() {
        aside = suffixed(&format!(".damaged-{now}-{again}"));
        again += 1;
    }
    fs::rename(path, &aside).map_err(|error| HistoryError::SetAside(path.into(), error))?;
    // A journal that is left behind would be applied to the new file.
    for journal in ["-wal", "-shm", "-journal"] {
        match fs::remove_file(suffixed(journal)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(HistoryError::SetAside(suffixed(journal), error));
            }
            _ => {}
        }
    }
    Ok(aside)
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
