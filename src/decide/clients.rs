//! What is said of how a release fits a client, whether that got worse, and what the builder would need to build it all.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

use crate::model::client::{Client, Compiled, Fit, Flags, Line, Name};
use crate::model::duration::in_words;
use crate::model::release::Id;
use crate::model::state::{Phase, State, Volume};
use crate::portage::names::cpv::Cpv;

/// Bytes of a reason or a place that a client may have: it is the business of strangers.
const LONGEST: usize = 400;

/// One line about a client: `laptop: 209 from the release, 2 compiled (x11-misc/foo: USE -bar in package.use/x:1; 1 more), 3 h there`.
/// The time is what the packages take on the builder.
#[must_use]
pub fn sentence(name: &Name, fit: &Fit) -> String {
    if let Some(problem) = &fit.problem {
        return format!("{name}: not known, {problem}");
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

/// A release that is to be rehearsed as each client, and when each of them was added: another one of the same name is another client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) release: Id,
    clients: Vec<(Name, Timestamp)>,
}

/// What is to be rehearsed now; nothing while a step is at work, or nothing is offered. Nothing that was asked for waits for a rehearsal.
pub(crate) fn wanted(state: &State) -> Option<Wanted> {
    let rests = matches!(state.durable.phase, Phase::Waiting(_) | Phase::Paused(_))
        && state.live.volume == Volume::Ours
        && state.live.job.is_none()
        && !state.live.stopping;
    let release = state.durable.release.as_ref().filter(|_| rests)?.id;
    let clients = state.live.clients.iter().map(|client| (client.name.clone(), client.added));
    Some(Wanted { release, clients: clients.collect() })
}

/// What to do about rehearsals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Course {
    /// Nothing: all is known, or the one that is at work is to go on.
    AsItIs,
    /// One is to begin.
    Begin,
    /// The one that is at work is to end, before it is through.
    Stop,
}

/// What to do when this is wanted, one with that is at work, and the last one that came to its end began with the third. A client that
/// was added or replaced meanwhile makes it another one, which follows: what is found of the others until then counts.
pub(crate) fn course(wanted: Option<&Wanted>, running: Option<&Wanted>, done: Option<&Wanted>) -> Course {
    match (wanted, running) {
        (None, Some(_)) => Course::Stop,
        (Some(wanted), Some(running)) if wanted.release != running.release => Course::Stop,
        (Some(wanted), None) if done != Some(wanted) => Course::Begin,
        _ => Course::AsItIs,
    }
}

/// What was said of clients, without what is of one that was removed or replaced meanwhile.
pub(crate) fn of_those_known(said: Vec<(Client, String)>, known: &[Client]) -> Vec<String> {
    let is_known =
        |of: &Client| known.iter().any(|client| client.name == of.name && client.added == of.added);
    said.into_iter().filter(|(of, _)| is_known(of)).map(|(_, line)| line).collect()
}

/// The line in which the resolver's process answers.
const ANSWER: &[u8] = b"gbsup rehearsal: ";

/// What the resolver's process says; see `render/client/rehearse.py`.
#[derive(Debug, Deserialize)]
pub(crate) struct Said {
    binary: u64,
    compile: Vec<SaidOfOne>,
    #[serde(default)]
    drift: Vec<String>,
    problem: Option<String>,
    /// Versions whose dependencies nobody has asked their ebuilds for.
    #[serde(default)]
    pub(crate) unread: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct SaidOfOne {
    package: String,
    why: String,
    place: Option<String>,
    seconds: Option<u64>,
    #[serde(default)]
    causes: Vec<Cause>,
}

/// Something that is otherwise on the client.
#[derive(Debug, Deserialize)]
struct Cause {
    what: String,
    here: String,
}

/// The answer among all that a process printed; nothing when there is none.
pub(crate) fn said(text: &[u8]) -> Option<Said> {
    let line = text.rsplit(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(ANSWER))?;
    serde_json::from_slice(line).ok()
}

/// What is left of a fit when everything is in it that a client may say: short texts of one line, packages that have names.
/// `release` and `rehearsed` are for the caller to say.
pub(crate) fn understood(said: Said) -> (u64, Vec<Compiled>, Vec<String>, Option<String>) {
    let compile = said.compile.into_iter().filter_map(|one| {
        let package = Cpv::parse(one.package.as_bytes())?;
        let mut add: Vec<Line> = lines(&package, &one.causes);
        add.sort();
        add.dedup();
        Some(Compiled {
            why: short(&one.why),
            place: one.place.as_deref().map(short),
            // Longer than any build: it is no time.
            seconds: one.seconds.filter(|seconds| *seconds < 1 << 32),
            flags: flags(&one.causes),
            package,
            add,
        })
    });
    let drift = said.drift.iter().map(|sentence| short(sentence)).collect();
    (said.binary, compile.collect(), drift, said.problem.as_deref().map(short))
}

/// The flags that are otherwise on a client; none where anything else is, which a build with these would not change.
fn flags(causes: &[Cause]) -> Flags {
    let one = |cause: &Cause| {
        let flag = cause.here.strip_prefix('-');
        (cause.what == "USE" && is_flag(&cause.here))
            .then(|| (flag.unwrap_or(&cause.here).to_owned(), flag.is_none()))
    };
    causes.iter().map(one).collect::<Option<_>>().unwrap_or_default()
}

/// What a client wants built with flags of its own, by `category/name`, after it was rehearsed. What it did not have to compile now may be built
/// so already, and is wanted in the next version, too.
pub(crate) fn wants(mut before: BTreeMap<String, Flags>, fit: &Fit) -> BTreeMap<String, Flags> {
    for one in &fit.compile {
        let package = one.package.cp().to_owned();
        if one.flags.is_empty() {
            before.remove(&package);
        } else {
            before.insert(package, one.flags.clone());
        }
    }
    before
}

/// What to write on the builder so that it builds this.
fn lines(package: &Cpv, causes: &[Cause]) -> Vec<Line> {
    let line = |file: &str, line: String| Line { file: format!("/etc/portage/{file}"), line };
    let flags: Vec<&str> =
        causes.iter().filter(|cause| cause.what == "USE").map(|cause| cause.here.as_str()).collect();
    let mut lines = Vec::new();
    if !flags.is_empty() && flags.iter().all(|flag| is_flag(flag)) {
        lines.push(line("package.use", format!("{} {}", package.cp(), flags.join(" "))));
    }
    for cause in causes {
        match cause.what.as_str() {
            "keywords" => {
                let keyword = cause.here.split(' ').next().unwrap_or_default();
                if is_keyword(keyword) {
                    lines.push(line("package.accept_keywords", format!("{} {keyword}", package.atom())));
                }
            }
            "unmask" => lines.push(line("package.unmask", package.atom())),
            "world" => {
                lines.push(Line { file: "/var/lib/portage/world".to_owned(), line: package.cp().to_owned() });
            }
            _ => {}
        }
    }
    lines
}

/// A flag of USE as it is wanted: `bar`, `-bar`.
fn is_flag(word: &str) -> bool {
    let flag = word.strip_prefix('-').unwrap_or(word);
    flag.starts_with(|c: char| c.is_ascii_alphanumeric())
        && flag.bytes().all(|b| b.is_ascii_alphanumeric() || b"+_@-".contains(&b))
}

/// `~amd64`, `**`
fn is_keyword(word: &str) -> bool {
    let bare = word.strip_prefix('~').unwrap_or(word);
    matches!(word, "**" | "~*" | "*")
        || (!bare.is_empty() && bare.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b)))
}

/// One line, and no longer than a sentence.
pub(crate) fn short(text: &str) -> String {
    let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    if text.len() <= LONGEST {
        return text;
    }
    format!("{}...", &text[..text.floor_char_boundary(LONGEST)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(compile: &str) -> Fit {
        let said: Said =
            serde_json::from_str(&format!(r#"{{"binary": 209, "compile": [{compile}], "problem": null}}"#))
                .unwrap();
        let (binary, compile, drift, problem) = understood(said);
        let (schema, release) = (Fit::SCHEMA, "2026-11-28.1".parse().unwrap());
        Fit { schema, release, rehearsed: Timestamp::UNIX_EPOCH, binary, compile, drift, problem }
    }

    fn said(fit: &Fit) -> String {
        sentence(&"laptop".parse().unwrap(), fit)
    }

    const FOO: &str = r#"{"package": "x11-misc/foo-1.2", "why": "USE -bar", "place": "package.use/x:1", "seconds": 11000,
        "causes": [{"what": "USE", "here": "-bar"}]}"#;
    const ZIG: &str = r#"{"package": "dev-lang/zig-2", "why": "~amd64 is only accepted here", "place": null, "seconds": null,
        "causes": [{"what": "keywords", "here": "~amd64 for dev-lang/zig"}]}"#;

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
        assert_eq!(said(&unknown), "laptop: not known, Portage finds no way");
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

    #[test]
    fn the_builder_is_told_the_line_to_add() {
        let of = |causes: &str| {
            let one = format!(
                r#"{{"package": "a/b-1", "why": "", "place": null, "seconds": null, "causes": {causes}}}"#
            );
            let fit = fit(&one);
            fit.compile[0].add.iter().map(|line| format!("{}: {}", line.file, line.line)).collect::<Vec<_>>()
        };
        assert_eq!(
            of(r#"[{"what": "USE", "here": "x"}, {"what": "USE", "here": "-y_z"}]"#),
            ["/etc/portage/package.use: a/b x -y_z"]
        );
        assert_eq!(
            of(r#"[{"what": "keywords", "here": "~amd64 for a/b"}]"#),
            ["/etc/portage/package.accept_keywords: =a/b-1 ~amd64"]
        );
        assert_eq!(of(r#"[{"what": "world", "here": "a/b"}]"#), ["/var/lib/portage/world: a/b"]);
        assert_eq!(of(r#"[{"what": "unmask", "here": "a/b"}]"#), ["/etc/portage/package.unmask: =a/b-1"]);
        // What a builder cannot change, and what is made to be pasted by somebody careless.
        for none in [
            r#"[{"what": "tree", "here": "2 d newer"}]"#,
            r#"[{"what": "USE", "here": "x\n*/* evil"}]"#,
            r#"[{"what": "USE", "here": "$(id)"}]"#,
            r#"[{"what": "keywords", "here": "\n*/* for a/b"}]"#,
        ] {
            assert_eq!(of(none), [""; 0], "{none}");
        }
    }

    #[test]
    fn what_a_client_wants_outlives_that_it_has_it() {
        let of = |package: &str, causes: &str| {
            fit(&format!(
                r#"{{"package": "{package}", "why": "", "place": null, "seconds": null, "causes": {causes}}}"#
            ))
        };
        let flags = [("bar".to_owned(), false), ("y_z".to_owned(), true)].into();
        let wanted = wants(
            BTreeMap::new(),
            &of("a/b-1", r#"[{"what": "USE", "here": "-bar"}, {"what": "USE", "here": "y_z"}]"#),
        );
        assert_eq!(wanted, [("a/b".to_owned(), flags)].into());
        assert_eq!(wants(wanted.clone(), &fit("")), wanted);
        // A build with its flags would not be what it takes, either.
        let tree = r#"[{"what": "USE", "here": "-bar"}, {"what": "tree", "here": "2 d newer"}]"#;
        assert_eq!(wants(wanted.clone(), &of("a/b-2", tree)), BTreeMap::new());
        assert_eq!(wants(wanted, &of("a/b-2", r#"[{"what": "USE", "here": "$(id)"}]"#)), BTreeMap::new());
        assert_eq!(wants(BTreeMap::new(), &of("a/b-2", "[]")), BTreeMap::new());
    }

    #[test]
    fn a_client_waits_for_everything_else() {
        let now = crate::model::Now { mono: Duration::ZERO, wall: Timestamp::UNIX_EPOCH };
        let mut state = State::new(crate::config::Config::default(), now);
        state.live.volume = Volume::Ours;
        state.durable.phase = Phase::Waiting(None);
        assert_eq!(wanted(&state), None, "nothing is offered");
        let release: Id = "2026-11-28.1".parse().unwrap();
        state.durable.release = Some(crate::model::release::Current {
            id: release,
            packages: 1,
            published: Timestamp::UNIX_EPOCH,
            again: None,
        });
        assert_eq!(wanted(&state), Some(Wanted { release, clients: Vec::new() }));
        state.durable.phase = Phase::Running(crate::model::Step::Sync);
        assert_eq!(wanted(&state), None);
        state.durable.phase = Phase::Waiting(None);
        state.live.stopping = true;
        assert_eq!(wanted(&state), None);
    }

    /// The n-th client of a name.
    fn client(name: &str, n: i64) -> Client {
        Client { name: name.parse().unwrap(), added: Timestamp::from_second(n).unwrap(), fit: None }
    }

    fn of(release: &str, clients: &[Client]) -> Wanted {
        let clients = clients.iter().map(|client| (client.name.clone(), client.added)).collect();
        Wanted { release: release.parse().unwrap(), clients }
    }

    #[test]
    fn whoever_comes_while_others_are_rehearsed_is_rehearsed_afterwards() {
        let (one, two) = ("2026-11-28.1", "2026-11-28.2");
        let (laptop, desk) = (client("laptop", 1), client("desk", 2));
        let begun = of(one, std::slice::from_ref(&laptop));
        let (added, replaced) = (of(one, &[desk, laptop.clone()]), of(one, &[client("laptop", 3)]));
        let (removed, gone_back) = (of(one, &[]), of(two, &[laptop]));
        for (wanted, running, done, expected) in [
            (Some(&begun), None, None, Course::Begin),
            (Some(&begun), Some(&begun), None, Course::AsItIs),
            (Some(&begun), None, Some(&begun), Course::AsItIs),
            // Those that it has begun with come to their end, and whoever came meanwhile follows.
            (Some(&added), Some(&begun), None, Course::AsItIs),
            (Some(&added), None, Some(&begun), Course::Begin),
            (Some(&replaced), Some(&begun), None, Course::AsItIs),
            (Some(&replaced), None, Some(&begun), Course::Begin),
            (Some(&removed), Some(&begun), None, Course::AsItIs),
            // Nobody is offered what it is about any more.
            (Some(&gone_back), Some(&begun), None, Course::Stop),
            (Some(&gone_back), None, Some(&begun), Course::Begin),
            (None, Some(&begun), None, Course::Stop),
            (None, None, Some(&begun), Course::AsItIs),
        ] {
            let found = course(wanted, running, done);
            assert_eq!(found, expected, "{wanted:?} {running:?} {done:?}");
        }
    }

    #[test]
    fn nobody_is_told_of_a_client_that_is_no_more() {
        let said =
            [client("gone", 1), client("laptop", 1), client("desk", 1)].map(|of| (of, "worse".to_owned()));
        let known = [client("desk", 1), client("laptop", 2), client("new", 1)];
        assert_eq!(of_those_known(said.into(), &known), ["worse"]);
    }

    #[test]
    fn what_a_client_says_is_short_and_of_one_line() {
        let long = "y".repeat(5000);
        let hostile = format!(
            r#"{{"package": "a/b-1", "why": "x\n\u001b[2J{long}", "place": "a\tb", "seconds": 99999999999}}, {{"package": "../x", "why": "", "place": null, "seconds": 1}}"#
        );
        let fit = fit(&hostile);
        let [one] = fit.compile.as_slice() else { panic!("{fit:?}") };
        assert!(one.why.starts_with("x [2Jyyy") && one.why.len() < 500, "{}", one.why);
        assert_eq!((one.place.as_deref(), one.seconds), (Some("a b"), None));
    }
}
