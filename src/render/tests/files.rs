//! What helpers did for a package and for a cycle, in each view.

use super::*;
use crate::model::helpers::Files;
use crate::model::records::Outcome;

use crate::model::status::HelpersInfo;
use crate::render::html::{self, Builder};

#[test]
fn each_view_has_where_files_were_compiled() {
    let files = Some(Files { remote: 212, local: 28, helpers: 3 });
    let words = "212 of 240 files on 3 helpers";
    let mut status = building();
    status.helpers = Some(HelpersInfo { present: Vec::new(), remote: 0, local: 0 });
    let numbers = |status: &Status| metrics::metrics(status, 0, &[]);
    assert!(!page(&status, Look::PLAIN).contains(" files"), "nothing is known of any");
    assert!(!numbers(&status).contains("gbsup_package_compiled_files"));
    status.jobs[0].files = files;
    let package = status.jobs[0].package.clone();
    assert!(page(&status, Look::PLAIN).contains(words));
    let builder = Builder { name: "b", status: Some(&status), left: &[], cycles: &[], logs: None };
    assert!(html::document(&html::now(builder, at(0)), pages::named("b")).contains(words));
    for (on, count) in [("helper", 212), ("builder", 28)] {
        let line = format!("gbsup_package_compiled_files{{package=\"{package}\",on=\"{on}\"}} {count}");
        assert!(numbers(&status).lines().any(|told| told == line), "{}", numbers(&status));
    }

    let mut last = history::cycle(7, Some(10), Some(Outcome::Done));
    last.files = Some(Files { remote: 212, local: 40, helpers: 3 });
    last.packages[0].files = files;
    assert!(history(&[last.clone()], at(0), Look::PLAIN).ends_with("\t212 of 252\n"));
    let builder = Builder { name: "b", status: Some(&status), left: &[], cycles: &[&last], logs: None };
    let one = html::document(&html::cycle(builder, 7, at(0)).unwrap(), pages::named("b"));
    assert!(one.contains("212 of 252 files on 3 helpers") && one.contains(words), "{one}");
}
