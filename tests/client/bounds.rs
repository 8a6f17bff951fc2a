//! A builder to which more happened than anybody reads.

use gbsup::model::failure::Failure;
use gbsup::model::status::{Mode, Skipped, Status, Why};

use super::fake::{Builder, failure, paused};

/// One bad line in make.conf: everything fails, with as much to show for it as is kept of the first.
fn everything_fails(packages: usize) -> Status {
    let failed = |n: usize| Failure {
        evidence: vec!["cc1: error: bad value for -march".repeat(8); 14],
        suggestions: vec![format!("ebuild app/p{n}-1.ebuild clean compile")],
        ..failure(&format!("app/p{n}-1"), Some(format!("/var/lib/gbsup/log/app:p{n}-1:20261128-000000.log")))
    };
    let mut status = paused(Why::Failure, (0..packages).map(failed).collect());
    status.remedies = (0..packages).map(|n| format!("app/p{n}-1 was built again")).collect();
    status.warnings = vec!["many words ".repeat(10_000)];
    status.skipped = (0..2000)
        .map(|n| Skipped { package: format!("app/s{n}"), version: format!("app/s{n}-1"), since: status.now })
        .collect();
    status
}

#[test]
fn an_answer_is_as_long_as_what_it_is_about() {
    let status = everything_fails(700);
    assert!(serde_json::to_string(&status).unwrap().len() > 2 << 20);
    let builder = Builder::with(status);
    for (line, code) in [("status", 0), ("failures", 0), ("health", 5), ("health --live", 0), ("skip", 0)] {
        let (got, out, err) = builder.run(line);
        assert_eq!((got, err.as_str()), (code, ""), "{line}");
        assert!(!out.is_empty(), "{line}");
    }
    let (code, out, err) = builder.run("logs --failed");
    assert!(code == 1 && out.contains("app:p699-1") && !err.contains("too long"), "{err}");
}

#[test]
fn people_see_the_first_of_many_and_programs_all() {
    let builder = Builder::with(everything_fails(700));
    let (_, page, _) = builder.run("status");
    assert!(page.len() < 10_000, "{} bytes", page.len());
    for line in
        ["and 695 more: gbsup failures", "and 1995 more: gbsup skip", "and 680 more: gbsup status --json"]
    {
        assert!(page.contains(line), "{line}: {page}");
    }
    let (_, json, _) = builder.run("status --json");
    let status: Status = serde_json::from_str(&json).unwrap();
    assert_eq!((status.state, status.pause.unwrap().failures.len()), (Mode::Paused, 700));
    assert_eq!((status.skipped.len(), status.remedies.len()), (2000, 700));
    let (_, json, _) = builder.run("failures --json");
    assert_eq!(serde_json::from_str::<Vec<serde_json::Value>>(&json).unwrap().len(), 700);
}
