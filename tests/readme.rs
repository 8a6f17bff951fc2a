//! What every page of the documentation says exists: commands parse, verbs are in the Makefile, keys
//! are keys of the configuration, and links lead somewhere.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{CommandFactory, Parser};
use gbsup::cli::Cli;
use gbsup::config;
use gbsup::model::failure::Class;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn page(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Every page there is, by its path from the root.
fn pages() -> Vec<String> {
    let mut found = Vec::new();
    let mut places = vec![root().to_path_buf()];
    while let Some(place) = places.pop() {
        for entry in fs::read_dir(&place).unwrap().flatten() {
            let path = entry.path();
            let name = entry.file_name().into_string().unwrap();
            if entry.file_type().unwrap().is_dir() {
                if name != "target" && !name.starts_with('.') {
                    places.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

#[test]
fn the_front_page_is_short_and_leads_to_all_others() {
    let readme = page("README.md");
    assert!(readme.lines().count() <= 200);
    for name in pages().iter().filter(|name| name.starts_with("docs/")) {
        assert!(readme.contains(&format!("]({name})")), "README.md does not link {name}");
    }
}

/// The blocks of code of a page: their language and their text.
fn blocks(page: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in page.lines() {
        match (&mut open, line.strip_prefix("```")) {
            // What follows the language is the block's name.
            (None, Some(words)) => {
                let language = words.split(' ').next().unwrap_or_default();
                open = Some((language.to_string(), String::new()));
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some((_, text)), None) => *text += &format!("{line}\n"),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block is not closed");
    blocks
}

/// The page without its blocks of code.
fn prose(page: &str) -> String {
    page.split("```").step_by(2).collect()
}

/// The commands a reader would type: lines of `sh` blocks, lines after a prompt in `console` blocks,
/// and code within a sentence.
fn commands(page: &str) -> Vec<String> {
    let mut commands = Vec::new();
    for (language, text) in blocks(page) {
        match language.as_str() {
            "sh" => commands.extend(text.lines().map(String::from)),
            "console" => {
                let typed = text.lines().filter_map(|line| line.strip_prefix("$ "));
                commands.extend(typed.map(String::from));
            }
            _ => {}
        }
    }
    commands.extend(prose(page).split('`').skip(1).step_by(2).map(String::from));
    commands
}

/// The words of a command, split at what a shell splits it at.
fn words(command: &str) -> Vec<Vec<String>> {
    let mut parts = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in command.chars() {
        match (quote, c) {
            (None, '#') if word.is_none() => break,
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, ' ' | ';' | '|' | '&' | '>') => {
                if let (Some(word), Some(part)) = (word.take(), parts.last_mut()) {
                    part.push(word);
                }
                if c != ' ' {
                    parts.push(Vec::new());
                }
            }
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    if let (Some(word), Some(part)) = (word, parts.last_mut()) {
        part.push(word);
    }
    parts.retain(|part: &Vec<String>| !part.is_empty());
    parts
}

/// Whether the command line takes this.
fn parse(arguments: &[String]) -> Result<(), String> {
    let command = std::iter::once("gbsup").chain(arguments.iter().map(String::as_str));
    match Cli::try_parse_from(command) {
        Ok(_) => Ok(()),
        Err(error) if !error.use_stderr() => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn every_gbsup_command_parses() {
    let mut seen = 0;
    for name in pages() {
        for command in commands(&page(&name)) {
            for part in words(&command) {
                let Some(at) = part.iter().position(|word| word == "gbsup" || word == "gbsup/builder") else {
                    continue;
                };
                // Another program of the image.
                if part.iter().any(|word| word == "--entrypoint") {
                    continue;
                }
                let arguments = &part[at + 1..];
                // The name of the program, of the image, or of all commands alike.
                if matches!(arguments.first().map(String::as_str), None | Some("..." | "init")) {
                    continue;
                }
                seen += 1;
                if let Err(error) = parse(arguments) {
                    panic!("{name}: {command}\n{error}");
                }
            }
        }
    }
    assert!(seen > 20, "only {seen} commands were found");
}

#[test]
fn every_command_is_in_the_manual() {
    let page = page("docs/operations.md");
    for command in Cli::command().get_subcommands().filter(|command| !command.is_hide_set()) {
        assert!(
            page.contains(&format!("`gbsup {}", command.get_name())),
            "{} is missing",
            command.get_name()
        );
    }
}

#[test]
fn configuration_in_the_pages_is_sound() {
    let (mut files, mut variables) = (0, 0);
    for name in pages() {
        let page = page(&name);
        for (_, text) in blocks(&page).into_iter().filter(|(language, _)| language == "toml") {
            files += 1;
            let checked = config::check(Some((&name, &text)), std::iter::empty());
            assert!(checked.is_ok(), "{}", checked.unwrap_err());
        }
        let named: Vec<_> = commands(&page)
            .iter()
            .flat_map(|command| words(command))
            .flatten()
            .filter_map(|word| {
                word.split_once('=').map(|(name, value)| (name.to_string(), value.to_string()))
            })
            .filter(|(name, _)| name.starts_with("GBSUP_") && name != "GBSUP_TEST_IMAGE")
            .collect();
        variables += named.len();
        let checked = config::check(None, named.into_iter());
        assert!(checked.is_ok(), "{name}: {}", checked.unwrap_err());
    }
    assert!(files > 4 && variables > 2, "only {files} files and {variables} variables were found");
}

#[test]
fn the_problems_in_the_manual_are_those_one_gets() {
    let text = "[build]\njobs = \"many\"\n[stop]\ngrase = \"2m\"\n";
    let problems = config::check(Some((config::DEFAULT_FILE, text)), std::iter::empty()).unwrap_err();
    let page = page("docs/configuration.md");
    for problem in problems.iter() {
        assert!(page.contains(&format!("gbsup: {problem}\n")), "{problem}");
    }
}

/// The tests that compare what a page shows with what one sees (`tests/e2e/support/pages.rs`).
const COMPARED: &[&str] = &["tests/e2e/pages.rs", "tests/e2e/major.rs", "tests/e2e/clients.rs"];

#[test]
fn output_in_the_pages_is_compared_with_the_real_one() {
    let tests: String = COMPARED.iter().map(|name| page(name)).collect();
    let mut seen = Vec::new();
    for name in pages() {
        for line in page(&name).lines().filter_map(|line| line.strip_prefix("```console")) {
            let block = line.trim();
            assert!(
                tests.contains(&format!("shows(\"{block}\")")),
                "{name}: nothing compares block {block:?}"
            );
            assert!(!seen.contains(&block.to_owned()), "{name}: there are two blocks {block:?}");
            seen.push(block.to_owned());
        }
    }
    assert!(seen.len() >= 8 && tests.contains("is_the_picture()"), "only {seen:?}");
}

#[test]
fn files_that_the_pages_name_exist() {
    let places = ["src/", "tests/", "scripts/", "docs/", "etc/", "image/", "findings/", "benches/"];
    let mut seen = 0;
    for name in pages().iter().filter(|name| *name != "CHANGELOG.md") {
        for word in prose(&page(name)).split('`').skip(1).step_by(2) {
            let path = word.split([':', ' ', '#']).next().unwrap_or_default();
            let named = places.iter().any(|place| path.starts_with(place));
            // A pattern, or a place for a name.
            if !named || path.contains(['*', '<']) || path.contains("NAME") {
                continue;
            }
            seen += 1;
            assert!(root().join(path).exists(), "{name} names {path}");
        }
    }
    assert!(seen > 60, "only {seen} were found");
}

#[test]
fn every_class_is_in_the_manual() {
    // What the world file lacks is a warning.
    let names = Class::ALL.iter().filter(|class| **class != Class::WorldAtomGone).map(Class::to_string);
    let names: Vec<_> = names.collect();
    assert!(names.len() > 20, "{names:?}");
    let manual = page("docs/troubleshooting.md");
    for name in names {
        assert!(manual.contains(&format!("`{name}`")), "{name} is not in docs/troubleshooting.md");
    }
}

/// The name that a heading can be linked by.
fn anchor(heading: &str) -> String {
    let kept = heading
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
        .collect::<String>();
    kept.trim().replace(' ', "-")
}

#[test]
fn links_lead_somewhere() {
    for name in pages() {
        let text = page(&name);
        let from: PathBuf = root().join(&name);
        for link in prose(&text).split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.starts_with("https://") {
                continue;
            }
            let (file, heading) =
                link.split_once('#').map_or((link, None), |(file, heading)| (file, Some(heading)));
            let target = if file.is_empty() { from.clone() } else { from.with_file_name("").join(file) };
            assert!(target.exists(), "{name}: {link}");
            if let Some(heading) = heading {
                let page = fs::read_to_string(&target).unwrap();
                let known = page
                    .lines()
                    .filter(|line| line.starts_with('#'))
                    .any(|line| anchor(line.trim_start_matches('#')) == heading);
                assert!(known, "{name}: {link}");
            }
        }
    }
}

#[test]
fn every_verb_is_in_the_makefile() {
    let makefile = page("Makefile");
    let is_verb = |word: &str| {
        makefile.lines().any(|line| line.split_once(':').is_some_and(|(target, _)| target == word))
    };
    let mut seen = 0;
    for name in pages() {
        for command in commands(&page(&name)) {
            for part in words(&command).iter().filter(|part| part[0] == "make") {
                for verb in part[1..].iter().filter(|word| !word.contains('=')) {
                    seen += 1;
                    assert!(is_verb(verb), "{name}: {command}");
                }
            }
        }
    }
    assert!(seen > 10, "only {seen} verbs were found");
}

/// What the code of the program names on the volume: `state/NAME`, and the directories at its top.
fn places() -> std::collections::BTreeSet<String> {
    let mut found = std::collections::BTreeSet::new();
    let mut directories = vec![root().join("src")];
    while let Some(directory) = directories.pop() {
        for path in fs::read_dir(directory).unwrap().flatten().map(|entry| entry.path()) {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && !name.ends_with("tests.rs")
            {
                let text = fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]").next().unwrap_or_default();
                let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
                for literal in lines.flat_map(|line| line.split('"').skip(1).step_by(2)) {
                    let is_name = |name: &str| {
                        !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'.')
                    };
                    if literal.strip_prefix("state/").is_some_and(is_name) {
                        found.insert(literal.to_owned());
                    }
                }
            }
        }
    }
    found
}

#[test]
fn the_page_of_formats_lists_what_there_is() {
    let text = page("docs/formats.md");
    let rows: Vec<Vec<&str>> = text
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| {
            line.trim_matches('|').split(" | ").map(|cell| cell.trim().trim_matches('|').trim()).collect()
        })
        .collect();
    let listed: std::collections::BTreeSet<String> = rows
        .iter()
        .filter_map(|row| row[0].strip_prefix('`')?.strip_suffix('`'))
        .filter(|path| path.starts_with("state/"))
        .map(str::to_owned)
        .collect();
    assert_eq!(listed, places(), "left: docs/formats.md, right: src");
    let version = |path: &str| {
        let row =
            rows.iter().find(|row| row[0].contains(&format!("`{path}`"))).unwrap_or_else(|| panic!("{path}"));
        row[1].to_owned()
    };
    assert_eq!(version("state/state.json"), format!("`schema` {}", gbsup::model::state::SCHEMA));
    assert_eq!(version("state/offer.json"), format!("`schema` {}", gbsup::model::offer::Offer::SCHEMA));
    assert_eq!(version("release.json"), format!("`schema` {}", gbsup::model::release::Release::SCHEMA));
    assert_eq!(
        version("fingerprint.json"),
        format!("`schema` {}", gbsup::model::fingerprint::Fingerprint::SCHEMA)
    );
    assert_eq!(version("status --json"), format!("`schema` {}", gbsup::model::status::SCHEMA));
    let tables = page("src/volume/history/tables.rs");
    let tables = tables.split("SCHEMA: i64 = ").nth(1).and_then(|rest| rest.split(';').next()).unwrap();
    assert_eq!(version("state/history.db"), format!("`user_version` {tables}"));
    for path in ["control", "steps", "log", "binpkgs", "distfiles", "quarantine", "releases"] {
        version(&format!("{path}/"));
    }
}
