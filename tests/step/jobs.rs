//! What jobs tell, made up.

use std::collections::BTreeMap;

use gbsup::model::estimates::Estimates;
use gbsup::model::failure::{Class, Failure};
use gbsup::model::offer::Broken;
use gbsup::model::offer::{Held, Why};
use gbsup::model::prune::Pruned;
use gbsup::model::rebuilds::{Change, Proof, Stale};
use gbsup::model::release::{Current, Published};
use gbsup::model::{Report, Step, Work};
use gbsup::portage::files::built::Built;
use gbsup::portage::files::durations::Durations;
use gbsup::portage::names::cpv::Cpv;
use gbsup::portage::names::exclude::excludes;
use gbsup::portage::output::plan::{Plan, Reader};
use gbsup::portage::output::scanner::{How, Listed, Progress};
use gbsup::portage::output::sync::{Outcome, Synced};

use jiff::Timestamp;

use crate::common::ran;

/// How a job ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    Well,
    Badly,
    Nothing,
    Ready,
    Trouble,
    Unfetched,
    /// A package does not compile; a plan has other packages than the one before.
    Otherwise,
    Full,
}

pub(crate) fn change() -> Change {
    Change::Targets { variable: "LLVM_SLOT".into(), new: vec!["19".into()], gone: Vec::new() }
}

pub(crate) fn stale(package: u8) -> Stale {
    Stale {
        package: Cpv::parse(format!("app-misc/p{package}-1").as_bytes()).unwrap(),
        atom: format!("app-misc/p{package}:0"),
        built: None,
        proof: Proof::Library { soname: "liba.so.1".into(), instead: vec!["liba.so.2".into()] },
    }
}

pub(crate) fn cpv(package: u8, version: u8) -> Cpv {
    Cpv::parse(format!("app-misc/p{package}-{version}").as_bytes()).unwrap()
}

/// A plan of two packages, as Portage prints it, without what it is told to leave out.
fn plan(exclude: &[String]) -> Plan {
    let mut reader = Reader::new();
    for line in
        ["[ebuild  N     ] app-misc/p0-1::pocket  1 KiB", "[binary  N     ] app-misc/p1-1-3::pocket  0 KiB"]
    {
        reader.line(line.as_bytes());
    }
    let mut plan = reader.finish(&[]);
    plan.packages.retain(|planned| !exclude.iter().any(|atom| excludes(atom, planned.cpv.cp(), "0")));
    for planned in &mut plan.packages {
        planned.inputs = "the same".into();
    }
    plan
}

/// One in which older versions take the place of what was left out, and skipped packages have newer ones.
fn another_plan(exclude: &[String]) -> (Plan, BTreeMap<String, Cpv>) {
    let mut plan = plan(&[]);
    for planned in &mut plan.packages {
        if exclude.iter().any(|atom| excludes(atom, planned.cpv.cp(), "0")) {
            planned.cpv = Cpv::parse(format!("{}x-0", planned.cpv.cp()).as_bytes()).unwrap();
        }
    }
    (plan, (0..2).map(|n| (format!("app-misc/p{n}"), cpv(n, 2))).collect())
}

/// An audit that found these packages incomplete.
fn audited(packages: &[u8]) -> Report {
    let what = || "needs a/gone, which nothing offers".to_owned();
    let held =
        |n: &u8| Held { cpv: cpv(*n, 1), slot: "0".into(), why: Why::Missing("a/gone".into()), what: what() };
    let broken =
        |n: &u8| Broken { package: cpv(*n, 1), slot: "0".into(), what: what(), needed_by: Vec::new() };
    Report::Audited {
        held: packages.iter().map(held).collect(),
        broken: packages.iter().map(broken).collect(),
        offered: 2 - packages.len(),
    }
}

/// A release; the third one offers what the first did.
pub(crate) fn offered(number: u8) -> Current {
    let id = |number: u8| format!("2026-11-22.{number}").parse().unwrap();
    let again = (number == 3).then(|| id(1));
    Current { id: id(number), packages: u64::from(number), published: Timestamp::UNIX_EPOCH, again }
}

/// A sync of two repositories, `a` being the main one.
fn sync_of(code: i32, dead: &[&str], failed: Option<&str>) -> Report {
    let outcome = |name: &str| Outcome {
        name: name.into(),
        revision: Some("abc".into()),
        why: dead.contains(&name).then(|| "no route".into()),
        repair: None,
    };
    let synced = Synced {
        repositories: ["a", "b"].map(outcome).to_vec(),
        failed: failed.map(str::to_owned),
        configured: ["a", "b"].map(str::to_owned).to_vec(),
        main: Some("a".into()),
        ..Synced::default()
    };
    Report::Synced { ran: ran(code), synced: Box::new(synced) }
}

pub(crate) fn report(end: End, work: &Work) -> Report {
    let sync = work.step() == Step::Sync;
    if let Work::Plan { exclude, .. } = work {
        let planned = |code, plan, offered| Report::Planned { ran: ran(code), plan, offered };
        match end {
            End::Well => return planned(0, plan(exclude), BTreeMap::new()),
            End::Badly => return planned(1, plan(exclude), BTreeMap::new()),
            // The resolver always answers; there may be nothing in it.
            End::Ready | End::Nothing => return planned(0, Plan::default(), BTreeMap::new()),
            End::Otherwise => {
                let (plan, offered) = another_plan(exclude);
                return planned(0, plan, offered);
            }
            _ => {}
        }
    }
    match end {
        End::Well if sync => sync_of(0, &[], None),
        End::Badly if sync => sync_of(1, &["b"], None),
        End::Otherwise if sync => sync_of(1, &["a", "b"], None),
        End::Unfetched if sync => sync_of(1, &["b"], Some("killed")),
        End::Well if matches!(work, Work::Prune { .. }) => {
            Report::Pruned(Pruned { files: 1, freed: 1, problems: Vec::new() })
        }
        End::Well if matches!(work, Work::Audit { .. }) => audited(&[]),
        End::Ready if matches!(work, Work::Audit { .. }) => audited(&[0]),
        End::Otherwise if matches!(work, Work::Audit { .. }) => audited(&[0, 1]),
        End::Well if work.step() == Step::Publish => Report::Published(Box::new(Published {
            current: offered(1),
            new: true,
            changes: "1 added".into(),
            held: 0,
            kernel: None,
            opaque: None,
            running: None,
            trees: Vec::new(),
        })),
        End::Full => {
            let full = Failure::new(Class::DiskFull, "no");
            Report::Failed(Box::new(Failure { may_pass: true, ..full }))
        }
        End::Well => Report::Ran(ran(0)),
        End::Badly => Report::Ran(ran(1)),
        End::Nothing => Report::Nothing,
        End::Ready => Report::Ready {
            repairs: vec!["a lock".into()],
            missing: vec!["b".into()],
            unmerged: vec!["app-misc/p1-1".into()],
        },
        End::Trouble => Report::Failed(Box::new(Failure::new(Class::Internal, "no"))),
        End::Otherwise => Report::Failed(Box::new(Failure {
            package: Some("app-misc/p0-1".into()),
            ..Failure::new(Class::Compile, "no")
        })),
        End::Unfetched => Report::Failed(Box::new(Failure {
            package: Some("app-misc/p0-1".into()),
            may_pass: true,
            ..Failure::new(Class::Fetch, "no")
        })),
    }
}

/// One package took so long once; the others were never built.
pub(crate) fn estimates(seconds: u32) -> Estimates {
    let log = format!(
        "9:  >>> emerge (1 of 1) app-misc/p1-1 to /\n{}:  ::: completed emerge (1 of 1) app-misc/p1-1 to /\n",
        9 + seconds
    );
    let mut durations = Durations::default();
    durations.read(log.as_bytes(), &Built::unknown());
    Estimates::new(&durations, 2)
}

pub(crate) fn progress(kind: u8, package: u8) -> Progress {
    let listed =
        |n| Listed { package: Cpv::parse(format!("app-misc/p{n}-1").as_bytes()).unwrap(), binary: false };
    let package = Cpv::parse(format!("app-misc/p{package}-1").as_bytes()).unwrap();
    match kind {
        0 => Progress::Planned { total: 3, list: (0..3).map(listed).collect() },
        1 => Progress::Emerging { n: 1, total: 4, package, binary: false },
        2 => Progress::Emerging { n: 1, total: 4, package, binary: true },
        3 => Progress::Installing { n: 1, total: 4, package },
        4 => Progress::Completed { n: 1, total: 4, package },
        5 => Progress::Failed { package, how: How::Build, log: None },
        _ => Progress::Resuming,
    }
}
