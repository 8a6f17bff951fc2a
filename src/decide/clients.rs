//! What is said of how a release fits a client, and whether that got worse.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::model::client::{Compiled, Fit, Name};
use crate::model::status::in_words;

/// One line about a client: `laptop: 209 from the release, 2 compiled (x11-misc/foo: USE -bar in package.use/x:1; 1 more), 3 h there`.
/// The time is what the packages take on the builder.
#[must_use]
pub fn sentence(name: &Name, fit: &Fit) -> String {
    if let Some(problem) = &fit.problem {
        return format!("{name}: nobody knows, {problem}");
    }
    let compiled = match fit.compile.len() {
        0 => return format!("{name}: {} from the release, nothing to compile", fit.binary),
        number => number,
    };
    let (seconds, known) = fit.seconds();
    let time = match known {
        0 => String::new(),
        _ => {
            let least = if known < compiled { "at least " } else { "" };
            format!(", {least}{} there", in_words(Duration::from_secs(seconds)))
        }
    };
    // What costs most is what a person wants to know of.
    let first = fit.compile.iter().reduce(|most, one| if one.seconds > most.seconds { one } else { most });
    let named = first.map(|one| format!("{}: {}", one.package.cp(), reason(one))).unwrap_or_default();
    let more = if compiled > 1 { format!("; {} more", compiled - 1) } else { String::new() };
    format!("{name}: {} from the release, {compiled} compiled ({named}{more}){time}", fit.binary)
}

/// Why a package is compiled, with the line that says so.
#[must_use]
pub fn reason(compiled: &Compiled) -> String {
    match &compiled.place {
        Some(place) => format!("{} in {place}", compiled.why),
        None => compiled.why.clone(),
    }
}

/// Whether a client would compile something that it would not have compiled before, or nobody knows any more. Another version of
/// what it compiles anyway is nothing new.
#[must_use]
pub fn is_worse(before: &Fit, now: &Fit) -> bool {
    if now.problem.is_some() {
        return before.problem.is_none();
    }
    let known: BTreeSet<&str> = before.compile.iter().map(|one| one.package.cp()).collect();
    before.problem.is_none() && now.compile.iter().any(|one| !known.contains(one.package.cp()))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn fit(compile: &str) -> Fit {
        let compile = serde_json::from_str(&format!("[{compile}]")).unwrap();
        let (schema, release) = (Fit::SCHEMA, "2026-11-28.1".parse().unwrap());
        let (binary, drift, problem) = (209, Vec::new(), None);
        Fit { schema, release, rehearsed: Timestamp::UNIX_EPOCH, binary, compile, drift, problem }
    }

    fn said(fit: &Fit) -> String {
        sentence(&"laptop".parse().unwrap(), fit)
    }

    const FOO: &str =
        r#"{"package": "x11-misc/foo-1.2", "why": "USE -bar", "place": "package.use/x:1", "seconds": 11000}"#;
    const ZIG: &str = r#"{"package": "dev-lang/zig-2", "why": "~amd64 is only accepted here", "place": null, "seconds": null}"#;

    #[test]
    fn a_client_is_one_line() {
        assert_eq!(said(&fit("")), "laptop: 209 from the release, nothing to compile");
        assert_eq!(
            said(&fit(FOO)),
            "laptop: 209 from the release, 1 compiled (x11-misc/foo: USE -bar in package.use/x:1), 3 h 3 min there"
        );
        assert_eq!(
            said(&fit(&[ZIG, FOO].join(","))),
            "laptop: 209 from the release, 2 compiled (x11-misc/foo: USE -bar in package.use/x:1; 1 more), at least 3 h 3 min there"
        );
        assert_eq!(
            said(&fit(ZIG)),
            "laptop: 209 from the release, 1 compiled (dev-lang/zig: ~amd64 is only accepted here)"
        );
        let unknown = Fit { problem: Some("Portage finds no way".into()), ..fit("") };
        assert_eq!(said(&unknown), "laptop: nobody knows, Portage finds no way");
    }

    #[test]
    fn only_another_package_makes_it_worse() {
        let (none, foo, both) = (fit(""), fit(FOO), fit(&[FOO, ZIG].join(",")));
        let newer = fit(&FOO.replace("foo-1.2", "foo-1.3"));
        let unknown = Fit { problem: Some("x".into()), ..fit("") };
        for (before, now, worse) in [
            (&none, &none, false),
            (&none, &foo, true),
            (&foo, &none, false),
            (&foo, &newer, false),
            (&foo, &both, true),
            (&both, &foo, false),
            (&foo, &unknown, true),
            (&unknown, &unknown, false),
            (&unknown, &foo, false),
        ] {
            assert_eq!(is_worse(before, now), worse, "{} -> {}", said(before), said(now));
        }
    }
}
