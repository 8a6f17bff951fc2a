//! The oldest cycles go, so that a history of years takes no more room than one of `prune.history`.

use std::path::Path;

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, TransactionBehavior, params};

use super::{History, HistoryError, PATIENCE};

/// So many cycles stay, however old they are.
const KEPT: u32 = 100;
/// So many go at once; whoever else writes waits no longer than that takes.
const AT_ONCE: u32 = 20;
/// What belongs to a cycle.
const TABLES: [&str; 7] = ["steps", "packages", "predictions", "remedies", "releases", "ccache", "helped"];

/// The cycles that began before `?1`, but for the newest `?2`.
const OLD: &str = "SELECT key FROM cycles WHERE started < ?1
    AND key <= (SELECT key FROM cycles ORDER BY key DESC LIMIT 1 OFFSET ?2)";

impl History {
    /// How much of a history is older than this: about so many bytes.
    pub(crate) fn old(&self, before: Timestamp) -> Result<u64, HistoryError> {
        let count = || -> rusqlite::Result<u64> {
            let of = |sql: &str| {
                self.database.query_row(sql, [], |row| {
                    row.get::<_, i64>(0).map(|number| number.max(0).cast_unsigned())
                })
            };
            if super::version(&self.database)? == 0 {
                return Ok(0);
            }
            let old: i64 = self.database.query_row(
                &format!("SELECT count(*) FROM ({OLD})"),
                params![before.as_microsecond(), KEPT],
                |row| row.get(0),
            )?;
            let (all, pages) = (of("SELECT count(*) FROM cycles")?, of("PRAGMA page_count")?);
            let free = of("PRAGMA freelist_count")?;
            let bytes = pages.saturating_sub(free) * of("PRAGMA page_size")?;
            Ok(bytes * old.max(0).cast_unsigned() / all.max(1))
        };
        count().map_err(|error| HistoryError::Database(self.path.clone(), error))
    }
}

/// Removes the cycles that began before this from the history there. The room they took is used anew, or given back when it
/// is more than the rest.
pub(crate) fn forget(path: &Path, before: Timestamp) -> Result<(), HistoryError> {
    let wrap = |error| HistoryError::Database(path.into(), error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut database = Connection::open_with_flags(path, flags).map_err(wrap)?;
    remove(&mut database, before).map_err(wrap)
}

fn remove(database: &mut Connection, before: Timestamp) -> rusqlite::Result<()> {
    database.busy_timeout(PATIENCE)?;
    loop {
        let change = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let cycles: Vec<i64> = change
            .prepare_cached(&format!("{OLD} ORDER BY key LIMIT {AT_ONCE}"))?
            .query_map(params![before.as_microsecond(), KEPT], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        if cycles.is_empty() {
            break;
        }
        for table in TABLES {
            // One of an older version has not all of them until its builder has written to it.
            if change.table_exists(None, table)? {
                let mut removal = change.prepare_cached(&format!("DELETE FROM {table} WHERE cycle = ?1"))?;
                for cycle in &cycles {
                    removal.execute([cycle])?;
                }
            }
        }
        for cycle in &cycles {
            change.execute("DELETE FROM cycles WHERE key = ?1", [cycle])?;
        }
        change.commit()?;
    }
    let number = |pragma: &str| database.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    if number("freelist_count")? > number("page_count")? / 2 {
        // It takes as much room again for a moment; without that the file stays as long as it is.
        drop(database.execute_batch("VACUUM"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::records::{Outcome, PackageOutcome, Record};

    fn at(day: u32) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + i64::from(day) * 86_400).unwrap()
    }

    #[test]
    fn the_oldest_cycles_go_with_all_that_belongs_to_them() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("history.db");
        let (mut history, _) = History::open(&path).unwrap();
        for day in 0..300 {
            let cycle = u64::from(day) + 1;
            history.record(&Record::CycleStarted { cycle, at: at(day), reason: "interval".into() }).unwrap();
            for n in 0..3 {
                let package = Record::Package {
                    cycle,
                    step: "build".into(),
                    package: format!("a/p{n}-1"),
                    binary: false,
                    started: at(day),
                    ended: at(day),
                    outcome: PackageOutcome::Built,
                    log: None,
                    message: Some("x".repeat(500)),
                };
                history.record(&package).unwrap();
            }
            let ended = Record::CycleEnded { cycle, at: at(day), outcome: Outcome::Done, worked: None };
            history.record(&ended).unwrap();
        }
        assert_eq!(history.old(at(0)).unwrap(), 0);
        assert!(history.old(at(150)).unwrap() > 100_000);
        forget(&path, at(150)).unwrap();
        let cycles = history.cycles(None).unwrap();
        assert_eq!((cycles.len(), cycles[149].id, cycles[149].packages.len()), (150, 151, 3));
        let orphans: i64 = history
            .database
            .query_row(
                "SELECT count(*) FROM packages WHERE cycle NOT IN (SELECT key FROM cycles)",
                [],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!((orphans, history.old(at(150)).unwrap()), (0, 0));
        // However old they are, the newest stay, and the builder goes on writing.
        forget(&path, at(9999)).unwrap();
        assert_eq!(history.cycles(None).unwrap().len(), 100);
        assert_eq!(history.last_cycle().unwrap(), Some(300));
        history.record(&Record::CycleStarted { cycle: 301, at: at(300), reason: "interval".into() }).unwrap();
        assert_eq!(history.cycles(None).unwrap().len(), 101);
    }
}
