//! What belongs to one cycle, and what failed in any, read back; and some of it written down.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::de::DeserializeOwned;

use crate::model::ccache::CacheUse;
use crate::model::duration::Eta;
use crate::model::helpers::Files;
use crate::model::records::{
    FailedRow, PackageOutcome, PackageRow, PredictionRow, ReleaseRow, RemedyRow, StepRow,
};
use crate::model::release::Id;
use crate::words;

/// A build of this cycle should take so long; the build worked for `after` seconds before.
pub(crate) fn predict(
    database: &Connection,
    cycle: i64,
    at: Timestamp,
    after: u64,
    packages: u64,
    eta: &Eta,
) -> rusqlite::Result<usize> {
    let Eta { low, likely, high, unknown } = eta;
    let numbers = [after, packages, *low, *likely, *high, *unknown].map(u64::cast_signed);
    let [after, packages, low, likely, high, unknown] = numbers;
    database.execute(
        "INSERT INTO predictions (cycle, at, after, packages, low, likely, high, unknown)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![cycle, at.as_microsecond(), after, packages, low, likely, high, unknown],
    )
}

/// Clients are offered this from then on.
pub(crate) fn offer(
    database: &Connection,
    cycle: i64,
    at: Timestamp,
    release: Id,
    packages: u64,
    again: Option<Id>,
) -> rusqlite::Result<usize> {
    database.execute(
        "INSERT INTO releases (cycle, release, at, packages, again) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            cycle,
            release.to_string(),
            at.as_microsecond(),
            packages.cast_signed(),
            again.map(|id| id.to_string())
        ],
    )
}

/// What ccache was good for in a cycle so far.
pub(crate) fn count(database: &Connection, cycle: i64, used: CacheUse) -> rusqlite::Result<usize> {
    let CacheUse { hits, misses, size } = used;
    let [hits, misses, size] = [hits, misses, size].map(|number| i64::try_from(number).unwrap_or(i64::MAX));
    database.execute(
        "INSERT OR REPLACE INTO ccache (cycle, hits, misses, size) VALUES (?1, ?2, ?3, ?4)",
        params![cycle, hits, misses, size],
    )
}

pub(crate) fn ccache(database: &Connection, cycle: i64) -> rusqlite::Result<Option<CacheUse>> {
    let mut query = database.prepare_cached("SELECT hits, misses, size FROM ccache WHERE cycle = ?1")?;
    let number = |row: &Row, column| row.get::<_, i64>(column).map(|number| number.max(0).cast_unsigned());
    let read =
        |row: &Row| Ok(CacheUse { hits: number(row, 0)?, misses: number(row, 1)?, size: number(row, 2)? });
    query.query_row([cycle], read).optional()
}

/// What became of the files of a package so far, or of all of a cycle.
pub(crate) fn help(
    database: &Connection,
    cycle: i64,
    package: Option<&str>,
    files: Files,
) -> rusqlite::Result<usize> {
    let Files { remote, local, helpers } = files;
    let numbers = [remote, local, helpers].map(|number| i64::try_from(number).unwrap_or(i64::MAX));
    let [remote, local, helpers] = numbers;
    database.execute(
        "INSERT OR REPLACE INTO helped (cycle, package, remote, local, helpers) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![cycle, package.unwrap_or_default(), remote, local, helpers],
    )
}

/// By package, and without a name of all of the cycle.
pub(crate) fn helped(database: &Connection, cycle: i64) -> rusqlite::Result<BTreeMap<String, Files>> {
    let mut query =
        database.prepare_cached("SELECT package, remote, local, helpers FROM helped WHERE cycle = ?1")?;
    let number = |row: &Row, column| row.get::<_, i64>(column).map(|number| number.max(0).cast_unsigned());
    let rows = query.query_map([cycle], |row| {
        let files = Files { remote: number(row, 1)?, local: number(row, 2)?, helpers: number(row, 3)? };
        Ok((row.get(0)?, files))
    })?;
    rows.collect()
}

pub(crate) fn steps(database: &Connection, cycle: i64) -> rusqlite::Result<Vec<StepRow>> {
    let mut query = database.prepare_cached(
        "SELECT step, started, ended, outcome, log FROM steps WHERE cycle = ?1 ORDER BY key",
    )?;
    let rows = query.query_map([cycle], |row| {
        Ok(StepRow {
            step: row.get(0)?,
            started: time(row, 1)?,
            ended: maybe_time(row, 2)?,
            outcome: word(row, 3)?,
            log: row.get(4)?,
        })
    })?;
    rows.collect()
}

/// Builds that failed and left a log, the newest first.
pub(crate) fn failed(database: &Connection) -> rusqlite::Result<Vec<FailedRow>> {
    let mut query = database.prepare_cached(
        "SELECT cycles.number, package, log FROM packages JOIN cycles ON cycles.key = packages.cycle
            WHERE packages.outcome = ?1 AND log IS NOT NULL ORDER BY packages.key DESC",
    )?;
    let rows = query.query_map([PackageOutcome::Failed.to_string()], |row| {
        let cycle = row.get::<_, i64>(0)?.max(0).cast_unsigned();
        Ok(FailedRow { cycle, package: row.get(1)?, log: row.get(2)? })
    })?;
    rows.collect()
}

/// The last that is known of each package of a cycle.
pub(crate) fn packages(database: &Connection, cycle: i64) -> rusqlite::Result<Vec<PackageRow>> {
    let mut query = database.prepare_cached(
        "SELECT package, step, binary, started, ended, outcome, log, message FROM packages
            WHERE key IN (SELECT max(key) FROM packages WHERE cycle = ?1 GROUP BY package) ORDER BY key",
    )?;
    let rows = query.query_map([cycle], |row| {
        Ok(PackageRow {
            package: row.get(0)?,
            step: row.get(1)?,
            binary: row.get(2)?,
            started: time(row, 3)?,
            ended: time(row, 4)?,
            outcome: word(row, 5)?.unwrap_or(PackageOutcome::Failed),
            log: row.get(6)?,
            message: row.get(7)?,
            files: None,
        })
    })?;
    rows.collect()
}

pub(crate) fn predictions(database: &Connection, cycle: i64) -> rusqlite::Result<Vec<PredictionRow>> {
    let mut query = database.prepare_cached(
        "SELECT at, packages, low, likely, high, unknown, took FROM predictions WHERE cycle = ?1 ORDER BY key",
    )?;
    let number = |row: &Row, column| row.get::<_, i64>(column).map(|number| number.max(0).cast_unsigned());
    let rows = query.query_map([cycle], |row| {
        Ok(PredictionRow {
            at: time(row, 0)?,
            packages: number(row, 1)?,
            eta: Eta {
                low: number(row, 2)?,
                likely: number(row, 3)?,
                high: number(row, 4)?,
                unknown: number(row, 5)?,
            },
            took: row.get::<_, Option<i64>>(6)?.map(|took| took.max(0).cast_unsigned()),
        })
    })?;
    rows.collect()
}

/// The logs of the packages whose last outcome, in whichever cycle, is a failure.
pub(crate) fn logs_of_failures(database: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut query = database.prepare_cached(
        "SELECT log FROM packages WHERE log IS NOT NULL AND outcome = ?1
            AND key IN (SELECT max(key) FROM packages GROUP BY package)",
    )?;
    let rows = query.query_map([PackageOutcome::Failed.to_string()], |row| row.get(0))?;
    rows.collect()
}

/// What was done about failures, in the order in which it began.
pub(crate) fn remedies(database: &Connection, cycle: i64) -> rusqlite::Result<Vec<RemedyRow>> {
    let mut query = database.prepare_cached(
        "SELECT step, class, packages, what, started, ended, outcome FROM remedies WHERE cycle = ?1 ORDER BY key",
    )?;
    let rows = query.query_map([cycle], |row| {
        Ok(RemedyRow {
            step: row.get(0)?,
            class: row.get(1)?,
            packages: row.get::<_, String>(2)?.split_whitespace().map(str::to_owned).collect(),
            what: row.get(3)?,
            started: time(row, 4)?,
            ended: maybe_time(row, 5)?,
            outcome: word(row, 6)?,
        })
    })?;
    rows.collect()
}

/// What clients were offered since a cycle began and until the next one did.
pub(crate) fn releases(database: &Connection, cycle: i64) -> rusqlite::Result<Vec<ReleaseRow>> {
    let mut query = database
        .prepare_cached("SELECT release, at, packages, again FROM releases WHERE cycle = ?1 ORDER BY key")?;
    let rows = query.query_map([cycle], |row| {
        let packages = row.get::<_, i64>(2)?.max(0).cast_unsigned();
        Ok(ReleaseRow { release: row.get(0)?, at: time(row, 1)?, packages, again: row.get(3)? })
    })?;
    rows.collect()
}

pub(crate) fn time(row: &Row, column: usize) -> rusqlite::Result<Timestamp> {
    let microseconds = row.get(column)?;
    Timestamp::from_microsecond(microseconds)
        .map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, microseconds))
}

pub(crate) fn maybe_time(row: &Row, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    match row.get::<_, Option<i64>>(column)? {
        Some(_) => time(row, column).map(Some),
        None => Ok(None),
    }
}

/// A word, unless only a newer version knows it.
pub(crate) fn word<T: DeserializeOwned>(row: &Row, column: usize) -> rusqlite::Result<Option<T>> {
    Ok(row.get::<_, Option<String>>(column)?.and_then(|word| words::parse(&word).ok()))
}
