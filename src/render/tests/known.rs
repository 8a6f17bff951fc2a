//! What still fails, and what is skipped.

use insta::assert_snapshot;

use super::*;
use crate::model::status::{Skipped, StillFailing};

fn failing(package: &str, since: i64) -> StillFailing {
    StillFailing {
        package: package.into(),
        class: Class::Compile,
        phase: Some("compile".into()),
        message: "the reactor has no coolant".into(),
        log: Some(format!("/var/lib/gbsup/log/{package}.log")),
        since: at(since),
        last: at(10),
    }
}

fn still_failing() -> Status {
    let mut status = waiting();
    status.known = vec![failing("test-fail/broken-1", 3000), failing("app-misc/new-2", 10)];
    status.skipped = vec![
        Skipped { package: "dev-lang/rust".into(), version: "dev-lang/rust-1.84.1".into(), since: at(5000) },
        Skipped { package: "app-misc/a:2".into(), version: "app-misc/a-2".into(), since: at(10) },
    ];
    status
}

#[test]
fn what_still_fails_and_what_is_skipped() {
    assert_snapshot!(page(&still_failing(), WIDE));
}

#[test]
fn what_still_fails_in_full() {
    assert_snapshot!(failures(&[], &still_failing().known, WIDE));
}

#[test]
fn skips_as_a_table() {
    assert_snapshot!(skipped(&still_failing(), WIDE));
    let piped = skipped(&still_failing(), Look::PLAIN);
    assert_eq!(piped.lines().next(), Some("dev-lang/rust\tdev-lang/rust-1.84.1\t2026-11-14"));
}
