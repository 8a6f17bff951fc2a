//! What failures are made of: commands that a person can paste into a shell of the container as they are, lines of
//! evidence, and phrases.

use crate::model::Ran;
use crate::model::failure::{Class, Failure};
use crate::model::machine::Machine;
use crate::portage::command::shell_word;
use crate::portage::names::cpv::Cpv;

/// What shows where the profile leads, and where it may lead.
pub const PROFILE_COMMANDS: [&str; 2] = ["ls -l /etc/portage/make.profile", "eselect profile list"];

/// Lines of Portage's explanation shown; the log has the rest.
pub(super) const EXPLANATION: usize = 40;
/// Lines of output shown where nothing better is known.
const LAST_LINES: usize = 15;

/// A failure of a command: its last lines, its log, and itself as what to type.
pub(super) fn failure(ran: &Ran, class: Class, message: impl Into<String>) -> Failure {
    let suggestions = vec![ran.command.clone()];
    Failure {
        evidence: last(&ran.evidence.tail),
        log: Some(ran.log.clone()),
        suggestions,
        ..Failure::new(class, message)
    }
}

/// A line for one of Portage's settings for packages, such as `package.use` (portage(5)): into a file
/// named after the package, or into the one file where the setting is no directory.
pub(super) fn setting(name: &str, package: &Cpv, line: &str, ran: &Ran) -> String {
    let line = line.replace('\'', r"'\''");
    if ran.single_files.iter().any(|file| file == name) {
        format!("echo '{line}' >> /etc/portage/{name}")
    } else {
        let place = format!("/etc/portage/{name}");
        format!("mkdir -p {place} && echo '{line}' >> {place}/{}", package.pn())
    }
}

/// Builds this version of a package again, with its binary package.
pub(super) fn build(package: &str) -> String {
    format!("emerge --oneshot {}", shell_word(&format!("={package}")))
}

/// Writes the digests of an ebuild, which vouches for it as it is.
pub(super) fn manifest(ebuild: &str) -> String {
    format!("ebuild {} manifest  # if you wrote it yourself", shell_word(ebuild))
}

/// Shows what Portage has to say about an atom.
pub(super) fn look_at(atom: &str) -> String {
    format!("emerge --pretend --verbose {}", shell_word(atom))
}

/// Goes on without packages, for the rest of the cycle.
pub(super) fn skip<'a>(packages: impl IntoIterator<Item = &'a Cpv>) -> String {
    let skips = packages.into_iter().map(|package| format!(" --skip {}", package.cp()));
    format!("gbsup resume{}", skips.collect::<String>())
}

/// `emerge was killed because memory ran out (the container may use 512 MiB)`
pub(super) fn out_of_memory(what: &str, machine: &Machine) -> String {
    let limit = machine.memory_in_words().map(|limit| format!(" ({limit})"));
    format!("{what} was killed because memory ran out{}", limit.unwrap_or_default())
}

/// A text with its atoms as people say them: without their lists of USE flags, which can be longer than all the rest.
/// `dev-libs/boost:0[abi_x86_32(-)?,context]` → `dev-libs/boost:0`
pub(super) fn brief(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('[') {
        let (before, list) = rest.split_at(open);
        let atom =
            before.rsplit(|c: char| c.is_whitespace() || "\"'(".contains(c)).next().unwrap_or_default();
        match list.find(']') {
            Some(close) if atom.contains('/') => {
                out.push_str(before);
                rest = &list[close + 1..];
            }
            _ => {
                out.push_str(&rest[..=open]);
                rest = &rest[open + 1..];
            }
        }
    }
    out + rest
}

/// The last lines that say anything.
pub(super) fn last(lines: &[String]) -> Vec<String> {
    let meant: Vec<&String> = lines.iter().filter(|line| !line.trim().is_empty()).collect();
    meant[meant.len().saturating_sub(LAST_LINES)..].iter().map(|line| (*line).clone()).collect()
}
