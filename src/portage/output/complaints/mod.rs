//! What Portage says of configuration that it cannot read.
//!
//! It says so on standard error and, but for a few cases, goes on without what it could not read and ends with 0:
//! `portageq envvar` answers with the defaults where make.conf has a syntax error. So an answer counts only when nothing
//! of this stands beside it.
//!
//! Sources of the lines: `portage/util/__init__.py` (getconfig, grabdict_package, grabfile_package),
//! `portage/package/ebuild/config.py`, its `_config/` and `portage/repository/config.py`.

mod lines;

use std::collections::{BTreeSet, HashSet};

pub use lines::Weight;
use lines::{File as F, LINES, Weight as W};

use crate::portage::files::settings::values;

/// So many are told. Nobody mends more at once, and each is looked for in its file.
const MOST: usize = 100;

/// One thing that Portage could not read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Complaint {
    /// How much it matters.
    pub weight: Weight,
    /// The file, where Portage names one.
    pub file: Option<String>,
    /// The line of it, counted from 1, where Portage or the file itself tells.
    pub line: Option<usize>,
    /// What could not be read, as it stands in the file, where Portage repeats that.
    pub item: Option<String>,
    /// Portage's own words.
    pub words: String,
}

/// What is put together from the files of this directory, or is this file.
const REPOS: &str = "/etc/portage/repos.conf";
/// How a line of make.conf begins that another file is read for.
const SOURCE: &str = "source ";

/// The lines by which complaints are known, as [`problem::texts`](super::problem::texts) has those of problems.
#[must_use]
pub fn texts() -> Vec<(String, String)> {
    LINES.iter().map(|(starts, contains, ..)| ((*starts).to_owned(), (*contains).to_owned())).collect()
}

/// The complaints in what a command of Portage printed, each once, in order; of very many the first hundred.
#[must_use]
pub fn read(text: &[u8]) -> Vec<Complaint> {
    let text = String::from_utf8_lossy(text);
    let mut found: Vec<Complaint> = Vec::new();
    let mut known = HashSet::new();
    let mut lines = text.lines().map(plain).peekable();
    while let Some(text) = lines.next() {
        let Some(mut complaint) = located(&text).or_else(|| told(&text)).or_else(|| warned(&text)) else {
            continue;
        };
        while let Some(more) = lines.next_if(|line| goes_on(line)) {
            match place(&more) {
                Some((file, line)) => (complaint.file, complaint.line) = (Some(file), Some(line)),
                None => {
                    let joint =
                        if complaint.words.ends_with(':') || more.starts_with('\t') { " " } else { ": " };
                    complaint.words += joint;
                    complaint.words += more.trim().trim_start_matches("!!! ");
                }
            }
        }
        if let Some((file, line)) = second(&complaint.words) {
            // The first of two of one name is easy to find, and is not the one that is too much.
            complaint = Complaint { file: Some(file), line: Some(line), item: None, ..complaint };
        }
        complaint.line = complaint.line.or_else(|| number_after(&complaint.words, "[line"));
        if known.insert(complaint.clone()) {
            found.push(complaint);
            if found.len() == MOST {
                break;
            }
        }
    }
    found
}

/// `"FILE", line N: WORDS` (`shlex.shlex.error_leader`).
fn located(text: &str) -> Option<Complaint> {
    let (file, rest) = text.strip_prefix('"')?.split_once("\", line ")?;
    let (line, words) = rest.split_once(": ")?;
    let line = line.parse().ok()?;
    let (file, words) = (Some(file.to_owned()), words.trim().to_owned());
    // The number is that of the line after it.
    let item = words.strip_suffix(": No such file or directory").map(|path| format!("{SOURCE}{path}"));
    Some(Complaint { weight: W::Broken, file, line: Some(line), item, words })
}

/// Lines that say more: those of the reader of repos.conf, with the place, what is wrong with a profile, and what a
/// `layout.conf` is to have.
fn goes_on(line: &str) -> bool {
    let starts = ["\t", "!!! ParseError: ", "!!! Set 'masters = ", PLACE];
    starts.iter().any(|start| line.starts_with(start))
}

/// How `configparser` begins the line that has the place.
const PLACE: &str = "file: '";

/// `file: 'FILE', line: N`
fn place(text: &str) -> Option<(String, usize)> {
    let (file, line) = text.strip_prefix(PLACE)?.split_once("', line: ")?;
    Some((file.to_owned(), line.trim().parse().ok()?))
}

/// `While reading from 'FILE' [line N]: section 'NAME' already exists`, and the same of an option (`configparser`).
fn second(words: &str) -> Option<(String, usize)> {
    let (file, rest) = words.split_once("While reading from '")?.1.split_once("' [line")?;
    rest.contains(" already exists").then_some((file.to_owned(), number_after(words, "[line")?))
}

/// A warning of Python's that Portage gives of a `layout.conf` (`portage/repository/config.py:parse_layout_conf`), which is
/// named in it.
fn warned(text: &str) -> Option<Complaint> {
    let (_, words) = text.split_once(": SyntaxWarning: ").filter(|(_, words)| words.starts_with(LAYOUT))?;
    Some(Complaint { weight: W::Minor, file: None, line: None, item: None, words: words.trim().to_owned() })
}

const LAYOUT: &str = "Repository named '";

fn told(text: &str) -> Option<Complaint> {
    let (starts, _, weight, place) =
        LINES.iter().find(|(starts, contains, ..)| text.starts_with(starts) && text.contains(contains))?;
    let rest = &text[starts.len()..];
    let mut item = None;
    let file = match place {
        F::None => None,
        F::Known(file) => {
            item = starts.ends_with(": ").then(|| rest.trim().to_owned());
            Some((*file).to_owned())
        }
        F::Section => {
            item = section(text);
            Some(REPOS.to_owned())
        }
        F::Word => rest.split(' ').next().map(str::to_owned),
        F::Quoted | F::QuotedItem => quoted(text).next().map(str::to_owned),
        F::SecondQuoted | F::SecondQuotedItem => quoted(text).nth(1).map(str::to_owned),
        F::BeforeItem => {
            let (file, what) = rest.split_once(": ")?;
            item = Some(what.trim().to_owned());
            Some(file.to_owned())
        }
    };
    if let F::QuotedItem | F::SecondQuotedItem = place {
        item = quoted(text).last().map(str::to_owned);
    }
    let words = text.trim_start_matches(['!', '-', ' ']).trim_end();
    Some(Complaint { weight: *weight, file, line: None, item, words: words.to_owned() })
}

/// The head of the section of repos.conf that a line is about.
fn section(text: &str) -> Option<String> {
    let after = |mark: &str| Some(text.split_once(mark)?.1);
    let name = ["ection '", "Repository '", "entry for '"]
        .into_iter()
        .find_map(|mark| after(mark)?.split('\'').next());
    let name = name.or_else(|| after(" setting for repo ")?.split(':').next())?;
    Some(format!("[{}]", name.trim()))
}

/// What stands in single quotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('\'').skip(1).step_by(2)
}

fn number_after(text: &str, mark: &str) -> Option<usize> {
    let rest = text.split_once(mark)?.1.trim_start();
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Without the colours that Portage has even where it was told not to.
fn plain(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("\x1b[") {
        out.push_str(before);
        rest = after.split_once('m').map_or("", |(_, rest)| rest);
    }
    out + rest
}

impl Complaint {
    /// Where it is, and what: `/etc/portage/package.use, line 3: Invalid atom in ...`.
    pub(crate) fn sentence(&self) -> String {
        match (&self.file, self.line) {
            (Some(file), Some(line)) => {
                let words = self.words.replacen(&format!(" in {file}: "), ": ", 1);
                format!("{file}, line {line}: {}", words.replacen(&format!(" in '{file}': "), ": ", 1))
            }
            (Some(file), None) if !self.words.contains(file.as_str()) => format!("{file}: {}", self.words),
            _ => self.words.clone(),
        }
    }

    /// Looks up the line in the text of its file, where Portage does not say it, or another one. Whether it is there.
    pub fn locate(&mut self, text: &str) -> bool {
        let Some(item) = &self.item else { return false };
        let item = words(item);
        let has = |line: &str| !item.is_empty() && words(line).windows(item.len()).any(|part| part == item);
        let found = text.lines().position(has).map(|at| at + 1);
        self.line = found.or(self.line);
        found.is_some()
    }
}

/// The words of a line of a configuration, without quotes, comments, and what says whether an atom or a flag is added or
/// taken away.
fn words(line: &str) -> Vec<String> {
    let line = line.replace(['"', '\''], "");
    let words = line.split_whitespace().take_while(|word| !word.starts_with('#'));
    words.map(|word| word.trim_start_matches(['-', '*']).to_owned()).collect()
}

/// Where a variable of make.conf is set to something that a sentence is about, of files in the order in which Portage reads
/// them: the last line that has a word of the sentence, as FEATURES adds up over all files, else the last one.
pub(crate) fn assignment<'a>(
    files: &'a [(String, String)],
    name: &str,
    about: &str,
) -> Option<(&'a str, usize)> {
    let value = |line: &'a str| {
        let line = line.trim_start();
        let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
        line.strip_prefix(name)?.trim_start().strip_prefix('=')
    };
    let is_meant = |value: &str| {
        let mut words = value.split(|c: char| c.is_whitespace() || matches!(c, '"' | '\''));
        words.any(|word| !word.is_empty() && about.split_whitespace().any(|of| is_said(of, name, word)))
    };
    let lines = files.iter().flat_map(|(file, text)| {
        text.lines().enumerate().map(move |(at, line)| (file.as_str(), at + 1, line))
    });
    let all: Vec<_> = lines.filter_map(|(file, at, line)| Some((file, at, value(line)?))).collect();
    let meant = all.iter().rev().find(|(.., value)| is_meant(value)).or(all.last());
    meant.map(|(file, at, _)| (*file, *at))
}

/// Whether a word of a sentence is this word of a value, by itself or as `NAME=WORD`.
fn is_said(of: &str, name: &str, word: &str) -> bool {
    let of = of.trim_matches(|c: char| matches!(c, '(' | ')' | ',' | ':' | ';' | '.' | '`' | '"'));
    let of = of.strip_prefix(name).and_then(|rest| rest.strip_prefix('=')).unwrap_or(of);
    of.trim_matches('"') == word
}

/// What stands behind the atoms of a file such as package.env (portage(5)), each word with its line: `cat/pkg one two`.
pub(crate) fn after_atoms(package_env: &str) -> Vec<(usize, String)> {
    let line = |(at, line): (usize, &str)| {
        let words = line.split_whitespace().take_while(|word| !word.starts_with('#')).skip(1);
        words.map(|word| (at + 1, word.to_owned())).collect::<Vec<_>>()
    };
    package_env.lines().enumerate().flat_map(line).collect()
}

/// What bash has against scripts: `FILE: line N: WORDS`, each file with its first line.
pub(crate) fn of_bash(text: &[u8]) -> Vec<Complaint> {
    let mut told: Vec<Complaint> = Vec::new();
    for line in String::from_utf8_lossy(text).lines() {
        let found = line.strip_prefix('/').and_then(|rest| rest.split_once(": line "));
        let Some((file, (line, words))) = found.and_then(|(file, rest)| Some((file, rest.split_once(": ")?)))
        else {
            continue;
        };
        let file = Some(format!("/{file}"));
        if let Ok(line) = line.parse()
            && !told.iter().any(|before| before.file == file)
        {
            told.push(Complaint {
                weight: W::Broken,
                file,
                line: Some(line),
                item: None,
                words: words.to_owned(),
            });
        }
    }
    told
}

/// The files and directories that sets are made of by their sections of sets.conf, each with its line. What is put together
/// from the places of repositories is passed over.
pub(crate) fn files_of_sets(sets_conf: &str) -> Vec<(usize, String)> {
    let named = |(at, line): (usize, &str)| {
        let (key, value) = line.split_once('=')?;
        let is_file = matches!(key.trim(), "filename" | "directory") && value.trim().starts_with('/');
        is_file.then(|| (at + 1, value.trim().to_owned()))
    };
    sets_conf.lines().enumerate().filter_map(named).collect()
}

/// Whether a word of USE or of package.use is a flag that is set or taken away, or stands for some (PMS 3.1.4, portage(5)).
pub(crate) fn is_flag(word: &str) -> bool {
    let name = word.strip_prefix(['-', '+']).unwrap_or(word);
    let name = name.strip_suffix(':').unwrap_or(name);
    name == "*"
        || name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"+_@-".contains(&b))
}

/// Whether a word of package.accept_keywords says which keywords are accepted (portage(5)).
pub(crate) fn is_keyword(word: &str) -> bool {
    let name = word.strip_prefix('-').unwrap_or(word);
    let arch = name.strip_prefix('~').unwrap_or(name);
    matches!(name, "*" | "**" | "~*")
        || !arch.is_empty() && arch.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
}

/// The words after the atoms of a file such as package.use that are none of the kind that may stand there, each with its line.
pub(crate) fn odd_words(text: &str, is_one: fn(&str) -> bool) -> Vec<(usize, String)> {
    let all = after_atoms(text).into_iter();
    all.filter(|(_, word)| !is_one(word)).collect()
}

/// The sets of world_sets or of a build's targets (`@NAME`) that Portage does not know; `known` is what
/// `emerge --list-sets` prints, one a line.
pub(crate) fn unknown_sets(wanted: &[String], known: &[u8]) -> Vec<String> {
    let known = String::from_utf8_lossy(known);
    let known: BTreeSet<&str> = known.lines().map(str::trim).collect();
    // Without these nothing was understood.
    if !known.contains("world") {
        return Vec::new();
    }
    let names = wanted.iter().filter_map(|atom| atom.trim().strip_prefix('@'));
    names.filter(|name| !known.contains(name)).map(str::to_owned).collect()
}

/// How Portage ended with an exception, if it did: the exception itself, and the place that it names.
pub(crate) fn exception(text: &[u8]) -> Option<Complaint> {
    let text = String::from_utf8_lossy(text);
    let (_, rest) = text.rsplit_once(TRACEBACK)?;
    let mut lines = rest.lines().skip(1).skip_while(|line| line.is_empty() || line.starts_with(' '));
    let words = lines.next()?.trim().trim_end_matches('.').to_owned();
    // `configparser.MissingSectionHeaderError` has its place in the line after it.
    let (file, line) = lines.next().and_then(place).unzip();
    let file = file.or_else(|| of_system(&words).map(str::to_owned));
    Some(Complaint { weight: W::Fatal, file, line, item: None, words })
}

/// The file that an exception of the system is about: `IsADirectoryError: [Errno 21] Is a directory: '/etc/portage/categories'`.
pub(crate) fn of_system(exception: &str) -> Option<&str> {
    quoted(exception.split_once("[Errno ")?.1).find(|path| path.starts_with('/'))
}

const TRACEBACK: &str = "Traceback (most recent call last):";

/// Whether there is an answer at all in what `portageq envvar -v` printed: it ends in a traceback where a file breaks it.
pub(crate) fn is_answer(text: &[u8]) -> bool {
    values(text).contains_key("FEATURES")
}

#[cfg(test)]
mod tests;
