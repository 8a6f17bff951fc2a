//! The rooms of the house: which may stand on which.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

use super::source::{self, Source};

/// Each room, from the ground up, and what it imports.
const ROOMS: &[(&str, &str)] = &[
    ("words", ""),
    ("signals", ""),
    ("sys", "signals"),
    ("watch", "sys"),
    ("procs", "sys"),
    ("beneath", "sys"),
    ("confine", ""),
    ("distcc", ""),
    ("git", ""),
    ("icecream", ""),
    ("requests", ""),
    ("portage", "words"),
    ("children", "portage procs sys"),
    ("config", "portage words"),
    ("logging", "config"),
    ("model", "config portage words"),
    ("decide", "config model portage words"),
    ("volume", "beneath config decide model portage procs sys watch words"),
    ("render", "config decide model portage"),
    ("binhost", "beneath children config confine decide git model portage procs render sys volume"),
    ("host", "beneath binhost children config confine decide model portage procs render sys volume"),
    ("steps", "beneath binhost children config decide host model portage procs render sys volume"),
    (
        "supervisor",
        "beneath binhost children config decide distcc host icecream logging model portage procs render steps sys volume watch",
    ),
    ("helpers", "children config confine decide distcc host icecream model portage procs steps sys"),
    ("peers", "children config confine model portage procs requests sys"),
    ("init", "children config model portage procs signals sys volume"),
    ("web", "beneath config confine decide git logging model peers portage procs render sys"),
    ("cli", "config model portage"),
    (
        "client",
        "beneath binhost children cli config decide helpers host model peers portage procs render requests sys volume watch web",
    ),
    ("fuzzing", "config distcc icecream model portage"),
    ("main", "binhost cli client init render supervisor"),
    ("lib", ""),
];

/// What imports what it may not, today. The list only shrinks.
const AGAINST_THE_RULE: &[(&str, &str)] = &[];

/// Files that depend on each other, today. The list only shrinks.
const CIRCLES: &[&[&str]] = &[];

/// The rooms that decide and show.
const PURE: &[&str] = &["decide", "distcc", "git", "icecream", "model", "portage", "render"];
/// What they may not touch.
const IMPURE: &[&str] = &[
    "tokio",
    "nix",
    "duct",
    "hyper",
    "rusqlite",
    "rustls",
    "ureq",
    "std::fs",
    "std::process",
    "std::net",
    "std::thread",
    // The clock, the environment and the file system behind innocent names.
    "std::env",
    "std::time::SystemTime",
    "std::time::Instant",
    "jiff::Timestamp::now",
    "Timestamp::now",
    "jiff::Zoned::now",
    ".exists",
    ".try_exists",
    ".is_dir",
    ".metadata",
    ".canonicalize",
    ".read_dir",
];

/// Read once for all tests.
static SOURCE: LazyLock<Source> =
    LazyLock::new(|| Source::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")));

fn room(file: &str) -> &str {
    let first = file.split('/').next().unwrap_or_default();
    first.strip_suffix(".rs").unwrap_or(first)
}

#[test]
fn every_room_stands_on_those_below_it() {
    let mut against = BTreeSet::new();
    for (file, targets) in SOURCE.graph() {
        let (_, below) = ROOMS
            .iter()
            .find(|(name, _)| *name == room(&file))
            .unwrap_or_else(|| panic!("{file} is in no room that is known"));
        for target in targets {
            let to = room(&target);
            // What the root of the crate defines is known everywhere.
            if to != room(&file) && to != "lib" && !below.split(' ').any(|name| name == to) {
                against.insert((file.clone(), to.to_owned()));
            }
        }
    }
    let known = AGAINST_THE_RULE.iter().map(|(file, to)| ((*file).to_owned(), (*to).to_owned()));
    let known: BTreeSet<_> = known.collect();
    let new: Vec<_> = against.difference(&known).collect();
    let gone: Vec<_> = known.difference(&against).collect();
    assert!(new.is_empty(), "imports against the rule: {new:#?}");
    assert!(gone.is_empty(), "put right, so the list need not have them any more: {gone:#?}");
}

#[test]
fn the_table_is_from_the_ground_up() {
    let at =
        |name: &str| ROOMS.iter().position(|(room, _)| *room == name).unwrap_or_else(|| panic!("{name}"));
    for (n, (room, below)) in ROOMS.iter().enumerate() {
        assert!(below.split_whitespace().all(|other| at(other) < n), "{room} stands on what is above it");
    }
}

#[test]
fn no_files_depend_on_each_other_in_a_circle() {
    let found = source::circles(&SOURCE.graph());
    let mut known: Vec<Vec<&str>> = CIRCLES.iter().map(|circle| circle.to_vec()).collect();
    known.sort();
    assert_eq!(found, known, "circles of files, as they are and as the list has them");
}

#[test]
fn what_decides_and_what_shows_does_no_io() {
    let mut broken = Vec::new();
    for file in SOURCE.files().filter(|file| PURE.contains(&room(file))) {
        let named = SOURCE.foreign(file);
        let is_in = |what: &str| named.iter().any(|way| way == what || way.starts_with(&format!("{what}::")));
        broken.extend(IMPURE.iter().filter(|what| is_in(what)).map(|what| format!("{file} uses {what}")));
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// A house of a few files, in which each rule is broken.
#[test]
fn the_rules_are_noticed_when_broken() {
    let house = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = house.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("lib.rs", "mod low; mod high; mod facade; mod table; mod reader; mod pure; mod asks;");
    write(
        "low.rs",
        "use crate::high::{self, Thing};\nuse std::{fs, io};\n\
         pub struct Base;\nfn f(path: &Path) { let _ = std::thread::spawn(g); path.exists(); format!(\"{}\", crate::facade::shown()); }\n\
         #[cfg(test)]\nmod tests { use crate::unseen::Never; fn t() { tokio::spawn(); } }",
    );
    write("high.rs", "use crate::low::Base;\npub struct Thing;\nfn g(base: Base) {}");
    write("facade/mod.rs", "mod inner;\nmod other;\npub use inner::shown;\n#[cfg(test)]\nmod tests;");
    write("facade/inner.rs", "pub fn shown() { let _ = super::other::X; }");
    write("facade/other.rs", "use super::shown;\npub const X: u8 = 1;\nfn h() { shown() }");
    write("facade/tests.rs", "use crate::low::Base;");
    write(
        "table.rs",
        "macro_rules! table { ($name:ident) => { pub struct All; } }\ntable! { one: enum Row }",
    );
    write("reader.rs", "use crate::table::Row;\nfn f(row: Row) {}");
    write(
        "pure.rs",
        "fn f(all: All) -> All { for n in 0..exists(1) {} all.read_dir; All { size: all.is_dir, ..metadata::of(all) } }",
    );
    write("asks.rs", "fn f(path: &Path) { path.parent()?.metadata()?; path.try_exists::<X>(); }");
    let source = Source::read(house.path());
    let graph = source.graph();
    let on = |file: &str| graph[file].iter().map(String::as_str).collect::<Vec<_>>();
    assert_eq!(on("low.rs"), ["facade/inner.rs", "high.rs"]);
    assert_eq!(on("high.rs"), ["low.rs"]);
    assert_eq!(on("facade/mod.rs"), [""; 0]);
    assert_eq!(on("reader.rs"), ["table.rs"]);
    assert!(!graph.contains_key("facade/tests.rs"));
    let circles = source::circles(&graph);
    assert_eq!(circles, [vec!["facade/inner.rs", "facade/other.rs"], vec!["high.rs", "low.rs"]]);
    let foreign = source.foreign("low.rs");
    for seen in ["std::fs", "std::io", "std::thread::spawn", ".exists"] {
        assert!(foreign.contains(seen), "{seen} in {foreign:?}");
    }
    assert!(!foreign.iter().any(|way| way.starts_with("tokio")));
    let methods =
        |file: &str| source.foreign(file).into_iter().filter(|way| way.starts_with('.')).collect::<Vec<_>>();
    assert_eq!(methods("asks.rs"), [".metadata", ".parent", ".try_exists"]);
    assert_eq!(methods("pure.rs"), [""; 0], "neither a field nor what follows two dots is a call");
}
