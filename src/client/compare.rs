//! `gbsup compare`: what a client would build itself, from what its own emerge says.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use serde::Serialize;

use super::answer::{json, print};
use super::error::Error;
use super::socket::Supervisor;
use super::terminal;
use crate::binhost::offer;
use crate::cli::Exit;
use crate::decide::compare::{Difference, compare};
use crate::model::offer::Held;
use crate::portage::files::index::{self, Index};
use crate::portage::output::plan::{Plan, Reader};
use crate::portage::output::scanner::Scanner;
use crate::render;

/// No plan is longer.
const MAX_PLAN: u64 = 64 << 20;

/// What `gbsup compare --json` says.
#[derive(Serialize)]
struct Answer<'a> {
    packages: usize,
    built: &'a [Difference],
}

pub(super) fn run(supervisor: &Supervisor, plan: &Path, as_json: bool) -> Result<Exit, Error> {
    let volume = supervisor.volume().0;
    let plan = read(plan)?;
    let index = offered(&volume)?;
    let differences = compare(&plan, &index, &held(&volume));
    let packages = plan.packages.len();
    print(if as_json {
        json(&Answer { packages, built: &differences })?
    } else {
        render::differences(&differences, packages, terminal::look())
    })?;
    Ok(if differences.is_empty() { Exit::Done } else { Exit::Findings })
}

fn read(path: &Path) -> Result<Plan, Error> {
    let stdin = path == Path::new("-");
    let mut text = Vec::new();
    let read = if stdin {
        io::stdin().take(MAX_PLAN).read_to_end(&mut text)
    } else {
        fs::File::open(path).and_then(|file| file.take(MAX_PLAN).read_to_end(&mut text))
    };
    let name = if stdin { "standard input".into() } else { path.display().to_string() };
    if let Err(problem) = read {
        return Err(Error::Usage(format!("{name} cannot be read: {problem}")));
    }
    understand(&name, &text)
}

/// Reads what a client's emerge printed, in whatever way it was set to print. What is not understood to the last line is
/// refused: no answer is better than a wrong one.
fn understand(name: &str, text: &[u8]) -> Result<Plan, Error> {
    // `--color=y`, and the carriage returns of a terminal (ssh -t).
    let text = anstream::adapter::strip_bytes(text).into_vec();
    let mut reader = Reader::new();
    let mut scanner = Scanner::new();
    for line in text.split(|&byte| byte == b'\n') {
        let line = line.trim_ascii_end();
        reader.line(line);
        scanner.line(line);
    }
    let evidence = scanner.finish();
    if let Some(problem) = evidence.main_problem() {
        let words =
            problem.lines.first().map_or("it gives no reason", |line| line.trim_matches(['!', '*', ' ']));
        return Err(Error::Failed(format!(
            "emerge failed on the client, so it has no plan: {}",
            render::clean(words)
        )));
    }
    if let Some(unread) = reader.unread() {
        let hint = "it takes what this prints: emerge --ignore-default-opts --pretend --verbose ...";
        return Err(Error::Usage(format!("{name} {}\n{hint}", render::clean(&unread.to_string()))));
    }
    Ok(reader.finish(&[]))
}

/// What clients see; before the first release what they will see.
fn offered(volume: &Path) -> Result<Index, Error> {
    let released = volume.join("releases/current/Packages");
    let file = if released.exists() { released } else { volume.join("binpkgs/Packages") };
    match fs::read(&file) {
        Ok(text) => index::whole(&text)
            .map_err(|why| Error::Failed(format!("the package index {} {why}", file.display()))),
        Err(problem) => {
            Err(Error::Failed(format!("the package index {} cannot be read: {problem}", file.display())))
        }
    }
}

/// What is held back; only the reasons are poorer without it.
fn held(volume: &Path) -> Vec<Held> {
    let offer = offer::read(volume).ok().flatten();
    offer.map(|offer| offer.held).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "These are the packages that would be merged, in order:\n\n\
        [ebuild  N     ] a/b-1::r  USE=\"x\" 0 KiB\n[binary   R    ] a/c-2-1:0/1::r  0 KiB\n\n\
        Total: 2 packages (1 new, 1 reinstall, 1 binary), Size of downloads: 0 KiB\n";

    fn read(text: &str) -> Result<usize, (bool, String)> {
        understand("plan", text.as_bytes())
            .map(|plan| plan.packages.len())
            .map_err(|error| (matches!(error, Error::Usage(_)), error.to_string()))
    }

    #[test]
    fn any_list_that_is_whole_is_read() {
        let colour = LIST
            .replace("[ebuild  N", "[\u{1b}[32;01mebuild\u{1b}[39;49;00m  \u{1b}[32;01mN\u{1b}[39;49;00m");
        for list in [
            LIST.to_owned(),
            colour.replace("a/b-1::r", "\u{1b}[32;01ma/b-1::r\u{1b}[39;49;00m"),
            LIST.replace('\n', "\r\n"),
            format!("{LIST}\nWould you like to merge these packages? [Yes/No] "),
        ] {
            assert_eq!(read(&list), Ok(2), "{list}");
        }
        assert_eq!(read(include_str!("../../tests/captured/plan-nothing.txt")), Ok(0));
        for tree in [
            include_str!("../../tests/captured/plan-update.txt"),
            include_str!("../../tests/captured/plan-uninstall.txt"),
            include_str!("../../tests/captured/plan-dependencies.txt"),
        ] {
            assert!(read(tree).is_ok_and(|packages| packages > 0), "{tree}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let cut = LIST.split_once("Total").map(|(list, _)| list).unwrap_or_default();
        let columns = LIST.replace("a/b-1::r  USE", "a/b                [1::r]        USE");
        let twice = LIST.repeat(2);
        let start = LIST.lines().skip(3).collect::<Vec<_>>().join("\n");
        for (text, why) in [
            ("", "no line that begins"),
            ("the client is out of order\n", "no line that begins"),
            ("[ebuild  N    ] a/b-1 \n", "no line that begins"),
            (cut, "no line that begins"),
            (
                columns.as_str(),
                "counts 2 packages, and 1 could be read; the first line that could not: [ebuild  N",
            ),
            (twice.as_str(), "2 lists"),
            (start.as_str(), "counts 2 packages, and 1 could be read"),
        ] {
            let refused = read(text).unwrap_err();
            assert!(refused.0 && refused.1.contains(why), "{text}: {refused:?}");
        }
    }

    #[test]
    fn an_emerge_that_failed_has_no_plan() {
        for text in [
            include_str!("../../tests/captured/masked-package.txt"),
            include_str!("../../tests/captured/use-change.txt"),
            include_str!("../../tests/captured/plan-blocked.txt"),
            include_str!("../../tests/captured/slot-conflict.txt"),
            include_str!("../../tests/captured/circular.txt"),
            include_str!("../../tests/captured/invalid-profile.txt"),
        ] {
            let failed = read(text).unwrap_err();
            assert!(!failed.0 && failed.1.contains("emerge failed on the client"), "{text}: {failed:?}");
        }
    }
}
