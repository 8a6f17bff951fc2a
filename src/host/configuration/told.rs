//! What Portage says of its configuration, made into what a person is to repair.

use std::path::Path;

use super::files::{ETC, MODULES, files, read};
use crate::model::failure::{Class, Failure, Trouble};
use crate::portage::command::{shell_quote, show_line};
use crate::portage::output::complaints::{Complaint, Weight};

/// A file of the tree is repaired by a sync, and Portage says in the plan what it makes of it.
pub(super) fn refuse(told: &[Complaint]) -> Result<(), Trouble> {
    let of_tree = |file: &str| !file.starts_with("/etc/") && file.contains("/profiles/");
    let counts = |told: &&Complaint| match told.weight {
        Weight::Fatal => true,
        Weight::Broken => !told.file.as_deref().is_some_and(of_tree),
        Weight::Profile | Weight::Minor => false,
    };
    let mut kept: Vec<Complaint> = Vec::new();
    for complaint in told.iter().filter(counts).cloned().map(located_in_file) {
        // Each command reads make.conf.
        if !kept.contains(&complaint) {
            kept.push(complaint);
        }
    }
    let told = kept;
    let Some(first) = told.first() else { return Ok(()) };
    let more = match told.len() {
        1 => String::new(),
        2 => ", and 1 more".to_owned(),
        more => format!(", and {} more", more - 1),
    };
    let message = format!("Portage cannot read its configuration: {}{more}", first.sentence());
    let mut suggestions = Vec::new();
    for (file, line) in told.iter().filter_map(|told| Some((told.file.as_ref()?, told.line))) {
        let show = match line {
            Some(line) if Path::new(file).is_file() => show_line(file, line),
            None if Path::new(file).is_symlink() || Path::new(file).is_dir() => {
                format!("ls -l {}", shell_quote(file))
            }
            _ => continue,
        };
        if !suggestions.contains(&show) {
            suggestions.push(show);
        }
    }
    if suggestions.is_empty() {
        suggestions.push("portageq envvar -v FEATURES".to_owned());
    }
    let evidence = told.iter().map(Complaint::sentence).collect();
    Err(Box::new(Failure { evidence, suggestions, ..Failure::new(Class::Config, message) }))
}

/// With the line, and where the file is a directory, with the file in it.
fn located_in_file(mut told: Complaint) -> Complaint {
    let all = told.file.as_ref().map(|file| files(Path::new(file))).unwrap_or_default();
    for file in all {
        if read(&file).is_some_and(|text| told.locate(&text)) {
            told.file = Some(file.display().to_string());
            break;
        }
    }
    told
}

/// What stands in `modules` is imported, and Portage ends with an exception where that is not there.
pub(super) fn of_modules(mut told: Complaint) -> Complaint {
    let file = Path::new(ETC).join(MODULES);
    let text = read(&file).unwrap_or_default();
    let is_named = |line: &str| {
        let value = line.split_once('=').map(|(_, value)| value.trim());
        value
            .and_then(|value| Some(value.rsplit_once('.')?.0))
            .is_some_and(|module| told.words.contains(module))
    };
    if let Some(at) = text.lines().position(is_named) {
        told.file = Some(file.display().to_string());
        told.line = Some(at + 1);
    }
    told
}
