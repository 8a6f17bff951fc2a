use std::thread;

use crate::model::ccache::CacheUse;
use crate::model::duration::Eta;
use crate::model::helpers::Files;
use crate::model::records::{PackageOutcome, ReleaseRow};
use crate::volume::history::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

fn started(cycle: u64, second: i64) -> Record {
    Record::CycleStarted { cycle, at: at(second), reason: "first".into() }
}

fn package(name: &str, binary: bool, outcome: PackageOutcome) -> Record {
    Record::Package {
        cycle: 1,
        step: "build".into(),
        package: name.into(),
        binary,
        started: at(1),
        ended: at(2),
        outcome,
        log: Some(format!("/v/log/{name}.log")),
        message: (outcome == PackageOutcome::Failed).then(|| "no luck".into()),
    }
}

#[test]
fn why_a_package_failed_is_told_later() {
    let (_dir, path) = place();
    let (mut history, _) = History::open(&path).unwrap();
    let failed = |message: Option<String>| Record::Package {
        cycle: 1,
        step: "build".into(),
        package: "app/a-1".into(),
        binary: false,
        started: at(1),
        ended: at(2),
        outcome: PackageOutcome::Failed,
        log: None,
        message,
    };
    let reason = |message: &str| Record::Reason {
        cycle: 1,
        package: "app/a-1".into(),
        at: at(3),
        message: message.into(),
        log: Some("/v/log/a.log".into()),
    };
    for record in [started(1, 0), failed(None), reason("no luck"), failed(None), reason("no luck again")] {
        history.record(&record).unwrap();
    }
    let cycles = History::read(&path).unwrap().cycles(None).unwrap();
    let [package] = cycles[0].packages.as_slice() else { panic!("{cycles:?}") };
    assert_eq!(package.message.as_deref(), Some("no luck again"));
    assert_eq!(package.log.as_deref(), Some("/v/log/a.log"));
}

fn place() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("history.db");
    (dir, path)
}

#[test]
fn what_was_recorded_is_read_back() {
    let (_dir, path) = place();
    let (mut history, warning) = History::open(&path).unwrap();
    assert_eq!(warning, None);
    let log = Some("/v/steps/1/build.log".to_string());
    for record in [
        started(1, 0),
        Record::StepStarted { cycle: 1, step: "build".into(), at: at(1), log: log.clone() },
        package("app/a-1", false, PackageOutcome::Built),
        package("app/b-1", true, PackageOutcome::Built),
        package("app/c-1", false, PackageOutcome::Failed),
        package("app/d-1", false, PackageOutcome::Failed),
        Record::StepEnded { cycle: 1, step: "build".into(), at: at(9), outcome: Outcome::Failed },
        Record::StepStarted { cycle: 1, step: "build".into(), at: at(10), log },
        package("app/d-1", false, PackageOutcome::Built),
        Record::StepEnded { cycle: 1, step: "build".into(), at: at(11), outcome: Outcome::Done },
        Record::CycleEnded { cycle: 1, at: at(12), outcome: Outcome::Done, worked: Some(44) },
    ] {
        history.record(&record).unwrap();
    }
    let cycles = History::read(&path).unwrap().cycles(None).unwrap();
    let [cycle] = cycles.as_slice() else { panic!("{cycles:?}") };
    assert_eq!((cycle.id, cycle.started, cycle.ended), (1, at(0), Some(at(12))));
    assert_eq!(cycle.outcome, Some(Outcome::Done));
    assert_eq!((cycle.built(), cycle.binary(), cycle.failed()), (2, 1, 1));
    let outcomes: Vec<_> = cycle.steps.iter().map(|step| step.outcome).collect();
    assert_eq!(outcomes, [Some(Outcome::Failed), Some(Outcome::Done)]);
    let failed = cycle.packages.iter().find(|package| package.package == "app/c-1").unwrap();
    assert_eq!(failed.message.as_deref(), Some("no luck"));
}

#[test]
fn a_reader_and_the_writer_do_not_disturb_each_other() {
    let (_dir, path) = place();
    let (mut history, _) = History::open(&path).unwrap();
    history.record(&started(1, 0)).unwrap();
    let reader = thread::spawn({
        let path = path.clone();
        move || (0..50).map(|_| History::read(&path).unwrap().cycles(Some(5)).unwrap().len()).min()
    });
    for second in 1..200 {
        history.record(&package(&format!("app/x-{second}"), false, PackageOutcome::Built)).unwrap();
    }
    assert_eq!(reader.join().unwrap(), Some(1));
    assert_eq!(History::read(&path).unwrap().cycles(None).unwrap()[0].built(), 199);
}

#[test]
fn a_cycle_that_nobody_saw_end_was_interrupted() {
    let (_dir, path) = place();
    let (mut history, _) = History::open(&path).unwrap();
    history.record(&started(1, 0)).unwrap();
    history.record(&started(2, 5)).unwrap();
    let cycles = history.cycles(None).unwrap();
    assert_eq!(cycles.iter().map(|cycle| cycle.id).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(cycles[0].outcome, None);
    assert_eq!((cycles[1].outcome, cycles[1].ended), (Some(Outcome::Interrupted), None));
    assert_eq!(history.last_cycle().unwrap(), Some(2));
}

#[test]
fn numbers_that_begin_again_do_not_touch_the_old_cycles() {
    let (_dir, path) = place();
    let (mut history, _) = History::open(&path).unwrap();
    history.record(&started(1, 0)).unwrap();
    history.record(&package("app/a-1", false, PackageOutcome::Built)).unwrap();
    history.record(&started(1, 50)).unwrap();
    history
        .record(&Record::CycleEnded { cycle: 1, at: at(60), outcome: Outcome::Done, worked: Some(44) })
        .unwrap();
    let cycles = history.cycles(None).unwrap();
    assert_eq!((cycles[0].built(), cycles[0].outcome), (0, Some(Outcome::Done)));
    assert_eq!((cycles[1].built(), cycles[1].outcome), (1, Some(Outcome::Interrupted)));
}

#[test]
fn a_record_of_an_unknown_cycle_is_kept() {
    let (_dir, path) = place();
    let (mut history, _) = History::open(&path).unwrap();
    history.record(&package("app/a-1", false, PackageOutcome::Built)).unwrap();
    assert_eq!(history.cycles(None).unwrap()[0].reason, "unknown");
}

#[test]
fn a_damaged_file_is_set_aside() {
    let (dir, path) = place();
    let header = format!("SQLite format 3\0{}", "\u{1}".repeat(5000));
    for damage in ["this is no database, and long enough to be looked at. ".repeat(40), header] {
        fs::write(&path, damage).unwrap();
        let (mut history, warning) = History::open(&path).unwrap();
        let warning = warning.expect("a warning");
        assert!(warning.contains("history.db.damaged-"), "{warning}");
        history.record(&started(1, 0)).unwrap();
        assert_eq!(history.cycles(None).unwrap().len(), 1);
    }
    let aside = fs::read_dir(dir.path()).unwrap().filter(|entry| {
        entry.as_ref().is_ok_and(|entry| entry.file_name().to_string_lossy().contains("damaged"))
    });
    assert_eq!(aside.count(), 2);
}

#[test]
fn damage_inside_a_page_is_found() {
    let (_dir, path) = place();
    {
        let (mut history, _) = History::open(&path).unwrap();
        for number in 0..200 {
            history.record(&started(number, 0)).unwrap();
        }
    }
    let mut bytes = fs::read(&path).unwrap();
    let len = bytes.len();
    assert_eq!(damage(&path), None);
    bytes[4096..len].fill(0xa5);
    fs::write(&path, bytes).unwrap();
    let found = damage(&path).expect("it is damaged");
    let (history, warning) = History::replace(&path, &found).unwrap();
    assert!(warning.contains(&found), "{warning}");
    assert_eq!(history.cycles(None).unwrap(), []);
    assert_eq!(damage(&path), None);
}

/// A history of the next version.
fn newer(change: &str) -> (tempfile::TempDir, PathBuf) {
    let (dir, path) = place();
    let (mut history, _) = History::open(&path).unwrap();
    history.record(&started(1, 0)).unwrap();
    history.database.execute_batch(change).unwrap();
    history.database.pragma_update(None, "user_version", SCHEMA + 1).unwrap();
    (dir, path)
}

#[test]
fn what_a_newer_gbsup_wrote_is_gone_on_with_and_nothing_of_it_is_lost() {
    let (dir, path) = newer(
        "ALTER TABLE cycles ADD COLUMN mood TEXT NOT NULL DEFAULT 'calm'; UPDATE cycles SET mood = 'cross';
         CREATE TABLE moods (key INTEGER PRIMARY KEY, mood TEXT) STRICT; INSERT INTO moods (mood) VALUES ('odd');",
    );
    assert_eq!(History::read(&path).unwrap().cycles(None).unwrap().len(), 1);
    let (mut history, warning) = History::open(&path).unwrap();
    assert_eq!(warning, None);
    history.record(&started(2, 1)).unwrap();
    let numbers: Vec<u64> = history.cycles(None).unwrap().iter().map(|cycle| cycle.id).collect();
    assert_eq!(numbers, [2, 1]);
    let moods: String = history
        .database
        .query_row(
            "SELECT group_concat(mood) FROM (SELECT mood FROM cycles UNION ALL SELECT mood FROM moods)",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(moods, "cross,calm,odd");
    assert_eq!(version(&history.database).unwrap(), SCHEMA + 1, "the newer one need not bring it up to date");
    assert_eq!(fs::read_dir(dir.path()).unwrap().flatten().filter(|file| is_aside(&file.path())).count(), 0);
}

#[test]
fn a_newer_history_with_other_tables_is_left_as_it_is_and_said_so() {
    let (dir, path) = newer("ALTER TABLE cycles RENAME TO rounds");
    let problem = History::read(&path).unwrap().cycles(None).unwrap_err();
    assert!(problem.to_string().contains("a newer gbsup"), "{problem}");
    let (mut history, warning) = History::open(&path).unwrap();
    assert_eq!(warning, None);
    let problem = history.record(&started(2, 1)).unwrap_err();
    assert!(matches!(problem, HistoryError::TooNew(..)), "{problem}");
    let rounds: i64 =
        history.database.query_row("SELECT count(*) FROM rounds", [], |row| row.get(0)).unwrap();
    assert_eq!(rounds, 1);
    assert_eq!(fs::read_dir(dir.path()).unwrap().flatten().filter(|file| is_aside(&file.path())).count(), 0);
}

fn is_aside(path: &Path) -> bool {
    path.to_string_lossy().contains("damaged")
}

#[test]
fn trouble_with_the_volume_is_an_error_and_no_panic() {
    let (dir, path) = place();
    assert!(matches!(History::read(&path), Err(HistoryError::Missing(_))));
    assert!(History::open(&dir.path().join("no/such/history.db")).is_err());
    assert!(History::open(dir.path()).is_err());
    let (mut history, _) = History::open(&path).unwrap();
    fs::remove_file(&path).unwrap();
    assert!(matches!(history.record(&started(1, 0)), Err(HistoryError::Missing(_))));
}

#[test]
fn what_cannot_change_can_still_be_read() {
    let dir = tempfile::Builder::new().suffix("100% #1?").tempdir().unwrap();
    let path = dir.path().join("history.db");
    History::open(&path).unwrap().0.record(&started(1, 0)).unwrap();
    let database = open_unchanging(&path).unwrap();
    let history = History { path, database };
    assert_eq!(history.cycles(None).unwrap().len(), 1);
}

fn predicted(cycle: u64, second: i64, after: u64, likely: u64) -> Record {
    let eta = Eta { low: likely / 2, likely, high: likely * 2, unknown: 1 };
    Record::Predicted { cycle, at: at(second), after, packages: 3, eta }
}

#[test]
fn a_prediction_is_measured_when_its_cycle_is_done() {
    let (_dir, path) = place();
    let (mut history, _) = History::open(&path).unwrap();
    for record in [
        started(1, 0),
        predicted(1, 1, 0, 50),
        Record::CycleEnded { cycle: 1, at: at(9), outcome: Outcome::Interrupted, worked: None },
        started(2, 10),
        predicted(2, 11, 0, 41),
        predicted(2, 500, 30, 12),
    ] {
        history.record(&record).unwrap();
    }
    let took = |history: &History| -> Vec<Vec<Option<u64>>> {
        let cycles = history.cycles(None).unwrap();
        cycles.iter().map(|cycle| cycle.predictions.iter().map(|made| made.took).collect()).collect()
    };
    assert_eq!(took(&history), [vec![None, None], vec![None]]);
    let done = Record::CycleEnded { cycle: 2, at: at(600), outcome: Outcome::Done, worked: Some(44) };
    history.record(&done).unwrap();
    assert_eq!(took(&history), [vec![Some(44), Some(14)], vec![None]]);
    let prediction = &history.cycles(None).unwrap()[0].predictions[0];
    assert_eq!((prediction.at, prediction.packages, prediction.error()), (at(11), 3, Some(6)));
    assert!(prediction.in_range());
    assert_eq!(prediction.eta, Eta { low: 20, likely: 41, high: 82, unknown: 1 });
}

fn remedied(cycle: u64, second: i64, class: &str) -> Record {
    Record::RemedyStarted {
        cycle,
        step: "build".into(),
        class: class.into(),
        packages: vec!["a/b-1".into(), "a/c-1".into()],
        at: at(second),
        what: "built again".into(),
    }
}

#[test]
fn what_was_done_about_failures_is_read_back() {
    let (_dir, path) = place();
    let (mut history, _) = History::open(&path).unwrap();
    let over = |second, outcome| Record::RemedyEnded { cycle: 1, at: at(second), outcome };
    for record in [
        started(1, 0),
        // The container was killed in the middle of the first.
        remedied(1, 1, "stalled"),
        remedied(1, 5, "stalled"),
        over(7, Outcome::Failed),
        remedied(1, 8, "circular"),
        over(9, Outcome::Done),
        remedied(1, 10, "fetch"),
    ] {
        history.record(&record).unwrap();
    }
    let remedies = &history.cycles(None).unwrap()[0].remedies;
    let told: Vec<_> = remedies.iter().map(|row| (row.class.as_str(), row.ended, row.outcome)).collect();
    assert_eq!(
        told,
        [
            ("stalled", None, Some(Outcome::Interrupted)),
            ("stalled", Some(at(7)), Some(Outcome::Failed)),
            ("circular", Some(at(9)), Some(Outcome::Done)),
            ("fetch", None, None),
        ]
    );
    assert_eq!((remedies[0].packages.len(), remedies[0].started), (2, at(1)));
    assert_eq!((remedies[0].step.as_str(), remedies[0].what.as_str()), ("build", "built again"));
}

fn released(cycle: u64, second: i64, release: &str, again: Option<&str>) -> Record {
    let (release, again) = (release.parse().unwrap(), again.map(|id| id.parse().unwrap()));
    Record::Released { cycle, at: at(second), release, packages: 213, again }
}

#[test]
fn what_was_offered_is_read_back() {
    let (_dir, path) = place();
    let (mut history, _) = History::open(&path).unwrap();
    for record in [
        started(1, 0),
        released(1, 1, "2026-11-22.1", None),
        released(1, 2, "2026-11-22.2", None),
        started(2, 3),
        released(2, 4, "2026-11-22.3", Some("2026-11-22.1")),
    ] {
        history.record(&record).unwrap();
    }
    let cycles = history.cycles(None).unwrap();
    let told = |row: &ReleaseRow| (row.release.clone(), row.at, row.packages, row.again.clone());
    let again = Some("2026-11-22.1".to_owned());
    assert_eq!(
        cycles[0].releases.iter().map(told).collect::<Vec<_>>(),
        [("2026-11-22.3".into(), at(4), 213, again)]
    );
    assert_eq!(cycles[1].releases.len(), 2);
}

/// A history of an earlier version: the first had no predictions, the second no remedies, the third no releases.
fn older(path: &Path, version: i64) {
    let database = Connection::open(path).unwrap();
    for tables in VERSIONS.iter().take(usize::try_from(version).unwrap()) {
        database.execute_batch(tables).unwrap();
    }
    database.pragma_update(None, "user_version", version).unwrap();
    database
        .execute("INSERT INTO cycles (number, started, reason) VALUES (7, 1790000000000000, 'first')", [])
        .unwrap();
}

#[test]
fn an_older_history_is_brought_up_to_date_in_place() {
    for found in 1..SCHEMA {
        let (dir, path) = place();
        older(&path, found);
        let (mut history, warning) = History::open(&path).unwrap();
        assert_eq!(warning, None);
        history.record(&predicted(7, 1, 0, 50)).unwrap();
        history.record(&remedied(7, 2, "fetch")).unwrap();
        history.record(&released(7, 3, "2026-11-22.1", None)).unwrap();
        let cycles = history.cycles(None).unwrap();
        assert_eq!((cycles[0].id, cycles[0].predictions.len(), cycles[0].remedies.len()), (7, 1, 1));
        assert_eq!(cycles[0].releases.len(), 1);
        assert_eq!(version(&history.database).unwrap(), SCHEMA);
        drop(history);
        assert_eq!(History::open(&path).unwrap().0.cycles(None).unwrap(), cycles, "once is enough");
        let names = fs::read_dir(dir.path()).unwrap().flatten().map(|entry| entry.file_name());
        assert!(names.into_iter().all(|name| !name.to_string_lossy().contains("damaged")));
    }
}

#[test]
fn an_older_history_can_be_read_by_who_may_not_change_it() {
    for found in 1..SCHEMA {
        let (_dir, path) = place();
        older(&path, found);
        let cycles = History::read(&path).unwrap().cycles(None).unwrap();
        assert_eq!((cycles[0].id, cycles[0].predictions.as_slice()), (7, &[][..]));
        assert!(cycles[0].remedies.is_empty() && cycles[0].releases.is_empty());
        assert_eq!(version(&Connection::open(&path).unwrap()).unwrap(), found);
    }
}

#[test]
fn every_version_has_its_tables() {
    assert_eq!(VERSIONS.len(), usize::try_from(SCHEMA).unwrap());
}

#[test]
fn the_last_word_on_ccache_counts() {
    let (_dir, path) = place();
    let (mut history, _) = History::open(&path).unwrap();
    let used = |hits| CacheUse { hits, misses: 3, size: 1 << 40 };
    let counted = |cycle, hits| Record::Ccache { cycle, at: at(3), used: used(hits) };
    for record in [started(1, 0), counted(1, 5), counted(1, 9), started(2, 9)] {
        history.record(&record).unwrap();
    }
    let cycles = History::read(&path).unwrap().cycles(None).unwrap();
    assert_eq!(cycles.iter().map(|cycle| cycle.ccache).collect::<Vec<_>>(), [None, Some(used(9))]);
}

#[test]
fn files_are_counted_for_their_package_and_for_the_cycle() {
    let (_dir, path) = place();
    let (mut history, _) = History::open(&path).unwrap();
    let files = |remote| Files { remote, local: 3, helpers: 2 };
    let helped = |cycle, package: Option<&str>, remote| Record::Helped {
        cycle,
        at: at(3),
        package: package.map(str::to_owned),
        files: files(remote),
    };
    for record in [
        started(1, 0),
        package("a/b-1", false, PackageOutcome::Built),
        package("a/c-1", false, PackageOutcome::Built),
        helped(1, Some("a/b-1"), 5),
        helped(1, None, 6),
        helped(1, Some("a/b-1"), 9),
        helped(1, None, 11),
        // What was compiled for a build that nobody saw end.
        helped(1, Some("a/gone-1"), 1),
    ] {
        history.record(&record).unwrap();
    }
    let cycle = History::read(&path).unwrap().cycles(None).unwrap().remove(0);
    assert_eq!(cycle.files, Some(files(11)));
    let packages = cycle.packages.iter().map(|package| (package.package.as_str(), package.files));
    assert_eq!(packages.collect::<Vec<_>>(), [("a/b-1", Some(files(9))), ("a/c-1", None)]);
}
