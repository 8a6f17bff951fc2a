//! What ccache was good for, in each view.

use super::*;
use crate::model::ccache::CacheUse;
use crate::render::html::{self, Builder};

#[test]
fn each_view_has_what_it_was_good_for() {
    let used = CacheUse { hits: 212, misses: 28, size: 1_288_490_188 };
    let mut status = waiting();
    let words = "212 of 240 files were there (88 %); 1.2 GiB kept";
    let views = |status: &Status| {
        let builder = Builder { name: "b", status: Some(status), left: &[], cycles: &[], logs: None };
        let now = html::document(&html::now(builder, at(0)), pages::named("b"));
        (page(status, Look::PLAIN), now, metrics::metrics(status, 0, &[]))
    };
    let (text, html, numbers) = views(&status);
    assert!(![text, html, numbers].iter().any(|view| view.contains("ccache")), "there is none");
    status.ccache = Some(used);
    let (text, html, numbers) = views(&status);
    assert!(text.contains(&format!("\n  ccache   {words}\n")), "{text}");
    assert!(html.contains(&format!("<dt>ccache</dt><dd>{words}</dd>")), "{html}");
    for line in ["gbsup_ccache_hits 212", "gbsup_ccache_misses 28", "gbsup_ccache_bytes 1288490188"] {
        assert!(numbers.lines().any(|told| told == line), "{numbers}");
    }

    let mut last = history::cycle(7, Some(10), Some(Outcome::Done));
    last.ccache = Some(used);
    assert!(history(&[last.clone()], at(0), Look::PLAIN).ends_with("\t212 of 240\t\n"));
    let builder = Builder { name: "b", status: Some(&status), left: &[], cycles: &[&last], logs: None };
    let one = html::document(&html::cycle(builder, 7, at(0)).unwrap(), pages::named("b"));
    assert!(one.contains("212 of 240 files from ccache"), "{one}");
}
