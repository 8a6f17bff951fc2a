//! A command line and its environment.

use crate::portage::output::conceal::concealed_text;

/// Without these a command would be about another system.
const PLACES: [&str; 2] = ["ROOT", "PKGDIR"];

/// Where programs are looked for.
pub(crate) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A program to run: its arguments, the first being the program, and what its environment needs on
/// top of what it inherits ([`Inherits`](super::Inherits)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Command {
    /// Program and arguments. Never empty.
    pub argv: Vec<String>,
    /// Variables to set; each name stands here once and replaces an inherited value.
    pub env: Vec<(String, String)>,
    /// What it prints is for us alone: it has what a person may have meant for one program, such as the header of a FETCHCOMMAND.
    pub private: bool,
}

impl Command {
    /// The command line as it would be typed, with the variables that say where it is to work; for people, so that names and
    /// passwords in addresses are concealed.
    pub(crate) fn typed(&self) -> String {
        let places = self.env.iter().filter(|(name, _)| PLACES.contains(&name.as_str()));
        let places = places.map(|(name, value)| format!("{name}={}", shell_quote(value)));
        concealed_text(&places.chain(self.words()).collect::<Vec<_>>().join(" "))
    }

    /// A shell script that does the same in the same environment.
    pub(crate) fn script(&self) -> String {
        let export = |(name, value): &(String, String)| format!("export {name}={}\n", shell_quote(value));
        let exports: String = self.env.iter().map(export).collect();
        format!("#!/bin/sh\n{exports}exec {}\n", self.words().collect::<Vec<_>>().join(" "))
    }

    fn words(&self) -> impl Iterator<Item = String> {
        self.argv.iter().map(|arg| shell_quote(arg))
    }
}

/// What every call gets, whatever PID 1 was started with.
pub(super) fn environment() -> Vec<(String, String)> {
    [
        // emerge starts itself a second time where the locale is not UTF-8.
        ("LC_ALL", "C.UTF-8"),
        // Portage and most build tools look at the first, eix and old scripts at the other two.
        ("NO_COLOR", "1"),
        ("NOCOLOR", "true"),
        ("NOCOLORS", "true"),
        ("TERM", "dumb"),
        ("HOME", "/root"),
        ("PATH", PATH),
        // eix-sync calls emerge, which would obey an --ask in make.conf and fail without a terminal.
        ("EMERGE_DEFAULT_OPTS", ""),
        // Pauses meant for a person who may still press Ctrl-C.
        ("CLEAN_DELAY", "0"),
        ("EMERGE_WARNING_DELAY", "0"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

pub(super) fn set(env: &mut Vec<(String, String)>, name: &str, value: String) {
    env.retain(|(known, _)| known != name);
    env.push((name.to_owned(), value));
}

pub(super) fn plain(argv: &[&str]) -> Command {
    Command { argv: argv.iter().map(|&arg| arg.to_owned()).collect(), env: environment(), private: false }
}

/// The same for what prints such things.
pub(super) fn private(argv: &[&str]) -> Command {
    Command { private: true, ..plain(argv) }
}

/// A word as it is typed into bash, in one line whatever is in it: a name with control characters is neither a second line in a log
/// nor anything that a terminal acts on.
pub(crate) fn shell_word(word: &str) -> String {
    if !word.chars().any(char::is_control) {
        return shell_quote(word);
    }
    let mut quoted = String::from("$'");
    for c in word.chars() {
        match c {
            '\'' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => {
                for byte in c.to_string().bytes() {
                    quoted += &format!("\\x{byte:02x}");
                }
            }
            c => quoted.push(c),
        }
    }
    quoted.push('\'');
    quoted
}

/// Shows one line of a file.
pub(crate) fn show_line(file: &str, line: impl std::fmt::Display) -> String {
    format!("sed -n {line}p {}", shell_quote(file))
}

/// Quotes a word for a shell, and for `shlex.split`, with which Portage reads `EMERGE_DEFAULT_OPTS`.
pub(crate) fn shell_quote(arg: &str) -> String {
    let safe = |b: u8| b.is_ascii_alphanumeric() || b"@%+=:,./-_".contains(&b);
    if !arg.is_empty() && arg.bytes().all(safe) {
        arg.to_owned()
    } else {
        format!("'{}'", arg.replace('\'', r#"'"'"'"#))
    }
}
