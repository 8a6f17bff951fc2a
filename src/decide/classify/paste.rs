//! Commands that a person can paste into a shell of the container as they are.

use crate::model::Ran;
use crate::portage::command::shell_word;
use crate::portage::names::cpv::Cpv;

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
