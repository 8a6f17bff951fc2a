//! Whether Portage can work with its configuration, asked before anything is synced or built.
//!
//! What is wrong is decided by [`complaints`] and [`make_conf`]; here is the asking and the looking.

mod files;
pub(crate) mod profile;
mod ready;
pub(crate) mod repositories;
mod silent;
mod told;
mod wanted;

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

pub(crate) use files::Ask;
use files::{ETC, KEYS, files, read};

use super::build::{ccache, cpus};
use super::places::found;
use crate::config::{Config, Engine};
use crate::decide::helpers::MOST;
use crate::model::failure::{Class, Failure, Trouble};
use crate::portage::command::{self, CCACHE, show_line};
use crate::portage::files::ccache as shadowed;
use crate::portage::files::make_conf::{self, Deed, Finding, Machine};
use crate::portage::files::settings::{self, Settings};
use crate::portage::names::cpv::Cpv;
use crate::portage::output::complaints::{self, Complaint, Weight, assignment};

/// What else decides about a variable, or about where repositories are.
const ELSEWHERE: [&str; 4] = [
    "/etc/make.conf",
    "/etc/profile.env",
    "/usr/share/portage/config/make.globals",
    "/usr/share/portage/config/repos.conf",
];

/// What Portage is told, once nothing is wrong with it.
pub(crate) struct Checked {
    pub settings: Settings,
    /// What a person should know of them.
    pub told: Vec<String>,
    /// The Portage that an update would install.
    pub portage: Option<Cpv>,
}

/// The settings, and what a person should know of them. Without all of the tree nothing is said of what may be in it.
///
/// # Errors
/// What has to be put right first. What is only so because a repository is not there yet is none.
pub(crate) fn check(
    config: &Config,
    tree_is_there: bool,
    container: &mut dyn Ask,
) -> Result<Checked, Trouble> {
    let text = container.ask(&command::envvar(&settings::keys()))?;
    // What decides about single packages is read only when a package is looked at.
    let available = container.ask(&command::portage_available())?;
    let mut told = [&text, &available].map(|text| complaints::read(text)).concat();
    told.extend(silent::dead_links(Path::new(ETC)));
    told.extend(complaints::exception(&available).map(told::of_modules));
    told.extend(silent::env_files());
    told.extend(silent::scripts(container)?);
    told.extend(silent::sets());
    told.extend(silent::words());
    if let Some(failure) = profile::endless(&told) {
        return Err(failure);
    }
    told::refuse(&told)?;
    let settings = understood(&text)?;
    if tree_is_there {
        wanted::check(config, container)?;
    }
    ready::build_directory(&settings)?;
    ready::places(&settings)?;
    ready::own_key(&settings, container)?;
    // With helpers a build has more jobs than are good for it alone.
    let (share, behind) = match config.helpers.engine {
        Engine::None => (1, None),
        Engine::Icecream => (MOST, Some("icecream")),
        Engine::Distcc => (MOST, Some("distcc")),
    };
    let machine = Machine { found: &found, cpus: cpus().saturating_mul(share) };
    let mut findings = make_conf::judge(&settings, &machine);
    let added: Vec<&str> = ccache(config).map(|_| CCACHE).into_iter().chain(behind).collect();
    findings.extend(shadowed::judge(&settings, &added, &machine, ready::shadows().as_ref()));
    findings.extend(ready::flags(&settings, container)?);
    findings.sort_by_key(|finding| finding.deed == Deed::Tell);
    let files = files::make_conf();
    if let Some(first) = findings.iter().find(|finding| finding.deed == Deed::Stop) {
        let mut failure = Failure::new(Class::Config, located(first, &files));
        failure.evidence = findings.iter().map(|finding| located(finding, &files)).collect();
        failure.suggestions.clone_from(&first.suggestions);
        if first.suggestions.is_empty()
            && let Some((file, line)) = assignment(&files, first.variable, &first.words)
        {
            failure.suggestions = vec![show_line(file, line)];
        }
        return Err(Box::new(failure));
    }
    let minor = told.iter().filter(|told| told.weight == Weight::Minor).map(Complaint::sentence);
    let findings = findings.iter().map(|finding| located(finding, &files));
    let mut sentences: Vec<String> = Vec::new();
    for sentence in minor.chain(findings).chain(profile::deprecated()) {
        // Each command reads the same files.
        if !sentences.contains(&sentence) {
            sentences.push(sentence);
        }
    }
    Ok(Checked { settings, told: sentences, portage: command::visible(&available) })
}

/// The settings, from what `portageq envvar` printed.
///
/// # Errors
/// When Portage could not read some file: what it answers then is not what the files say.
pub(crate) fn understood(text: &[u8]) -> Result<Settings, Trouble> {
    let told = complaints::read(text);
    told::refuse(&told)?;
    if !complaints::is_answer(text) {
        let lines: Vec<_> = String::from_utf8_lossy(text).lines().map(str::to_owned).collect();
        let last = lines.iter().rev().find(|line| !line.trim().is_empty()).cloned().unwrap_or_default();
        let mut failure =
            Failure::new(Class::Config, format!("Portage does not come up with its settings: {last}"));
        failure.evidence = lines[lines.len().saturating_sub(15)..].to_vec();
        failure.suggestions = vec!["portageq envvar -v FEATURES".to_owned()];
        return Err(Box::new(failure));
    }
    let profile = told.into_iter().find(|told| told.weight == Weight::Profile).map(|told| told.words);
    Ok(Settings { profile, ..Settings::parse(text) })
}

/// The files that Portage's configuration is made of in this container, but for the profile: keys and what else it looks up are among
/// them.
pub(crate) fn made_of() -> Vec<PathBuf> {
    files(Path::new(ETC)).into_iter().chain(ELSEWHERE.map(PathBuf::from)).collect()
}

/// Stands for everything in this container that settings are made of, but for the profile; another one, and they may
/// be others.
pub(crate) fn stamp() -> u64 {
    let mut hasher = DefaultHasher::new();
    let keys = Path::new(ETC).join(KEYS);
    for file in made_of().into_iter().filter(|file| !file.starts_with(&keys)) {
        // Each merge writes some of them anew as they were.
        (read(&file), file).hash(&mut hasher);
    }
    fs::read_link("/etc/portage/make.profile").ok().hash(&mut hasher);
    hasher.finish()
}

/// A finding, with the place where it can be changed.
fn located(finding: &Finding, files: &[(String, String)]) -> String {
    match assignment(files, finding.variable, &finding.words) {
        Some((file, line)) => format!("{file}, line {line}: {}", finding.words),
        None => finding.words.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn a_half_answer_counts_for_nothing() {
        let text =
            b"\"/etc/portage/make.conf\", line 6: /nope: No such file or directory\nFEATURES=sandbox\n";
        let failure = understood(text).unwrap_err();
        assert_eq!(failure.class, Class::Config);
        assert_eq!(
            failure.message,
            "Portage cannot read its configuration: /etc/portage/make.conf, line 6: /nope: No such file or directory"
        );
        let traceback =
            b"Traceback (most recent call last):\n  File \"x\"\nValueError: No closing quotation\n";
        let failure = understood(traceback).unwrap_err();
        assert!(failure.message.ends_with("ValueError: No closing quotation"), "{}", failure.message);
        let of_tree = b"--- Invalid atom in /var/db/repos/x/profiles/package.mask: a//b\nFEATURES=sandbox\n";
        assert!(understood(of_tree).is_ok(), "a sync repairs that");
    }
}
