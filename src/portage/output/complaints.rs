//! What Portage says of configuration that it cannot read.
//!
//! It says so on standard error and, but for a few cases, goes on without what it could not read and ends with 0:
//! `portageq envvar` answers with the defaults where make.conf has a syntax error. So an answer counts only when nothing
//! of this stands beside it.
//!
//! Sources of the lines: `portage/util/__init__.py` (getconfig, grabdict_package, grabfile_package),
//! `portage/package/ebuild/config.py`, its `_config/` and `portage/repository/config.py`.

use std::collections::{BTreeSet, HashSet};

use crate::portage::files::settings::values;

/// So many are told. Nobody mends more at once, and each is looked for in its file.
const MOST: usize = 100;

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Weight {
    /// A part of the configuration is not in force: what is built now is not what was asked for.
    Broken,
    /// The profile cannot be put together, which is so as long as a repository is not there.
    Profile,
    /// Portage has a default for it, or does without.
    Minor,
}

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

/// How a line of make.conf begins that another file is read for.
const SOURCE: &str = "source ";

/// Where the file is named in a line, after its beginning.
#[derive(Clone, Copy)]
enum File {
    None,
    /// In the second of the quotes that follow.
    SecondQuoted,
    /// In quotes.
    Quoted,
    /// Up to the last `: `, behind which the item stands.
    BeforeItem,
    /// Up to a space.
    Word,
    /// Always this one; what follows is the item.
    Known(&'static str),
    /// `repos.conf`; the item is the head of the section that is named.
    Section,
    /// In quotes; the item is in the last ones.
    QuotedItem,
    /// In the second of the quotes that follow; the item is in the last ones.
    SecondQuotedItem,
}

use File as F;
use Weight as W;

/// What is put together from the files of this directory, or is this file.
const REPOS: &str = "/etc/portage/repos.conf";
const MAKE: File = F::Known("/etc/portage/make.conf");

/// How a line begins, what else is in it, how much it matters, where the file is.
#[rustfmt::skip]
const LINES: &[(&str, &str, Weight, File)] = &[
    // portage/util/__init__.py: grabdict_package, grabfile_package; _config/UseManager.py.
    ("--- Invalid atom in ", "", W::Broken, F::BeforeItem),
    ("--- Atom is not allowed to have USE flag(s) in ", "", W::Broken, F::BeforeItem),
    ("--- Invalid USE flag in ", "", W::Broken, F::QuotedItem),
    ("--- Invalid USE flag for ", "", W::Broken, F::SecondQuotedItem),
    // portage/util/__init__.py: getconfig.
    ("open('", "', 'r'): ", W::Broken, F::Quoted),
    ("!!! Please use dos2unix to convert line endings in config file: ", "", W::Broken, F::Quoted),
    // portage/repository/config.py: _parse, _add_repositories, __init__.
    ("!!! Error while reading repo config file: ", "", W::Broken, F::Section),
    ("!!! Section '", "' in repos.conf is missing location attribute", W::Broken, F::Section),
    ("!!! Section '", "' in repos.conf has name different from repository name ", W::Broken, F::Section),
    ("!!! Repository '", "' has sync-type attribute, but is missing sync-uri attribute", W::Broken, F::Section),
    ("!!! Repository '", "' has sync-uri attribute, but is missing sync-type attribute", W::Broken, F::Section),
    ("!!! Repository '", "' has sync-type attribute set to unsupported value: ", W::Broken, F::Section),
    ("!!! main-repo not set in DEFAULT and PORTDIR is empty.", "", W::Broken, F::Section),
    ("!!! Invalid ", " setting for repo ", W::Broken, F::Section),
    // The other repositories can do without; what needs it fails, and says so.
    ("Unavailable repository '", "referenced by masters entry in '", W::Minor, F::SecondQuoted),
    ("Unavailable repository '", "referenced by eclass-overrides entry for ", W::Minor, F::Section),
    // portage/package/ebuild/config.py.
    ("!!! ", " references non-existent file: ", W::Broken, F::Word),
    ("!!! Illegal variable '", "assigned in '", W::Broken, F::SecondQuoted),
    ("Invalid package name in package.provided: ", "", W::Broken, F::Known("/etc/portage/profile/package.provided")),
    ("!!! BINPKG_COMPRESS ", "unsupported", W::Broken, MAKE),
    ("!!! BINPKG_FORMAT contains invalid or unsupported format: ", "", W::Minor, MAKE),
    ("!!! Invalid ACCEPT_CHOSTS value: ", "", W::Broken, MAKE),
    ("!!! INVALID ACCEPT_KEYWORDS: ", "", W::Minor, MAKE),
    ("!!! ", "is not a valid integer.  Falling back to ", W::Minor, MAKE),
    ("FEATURES variable contains unknown value(s): ", "", W::Minor, MAKE),
    ("!!! Found 2 make.conf files, using both ", "", W::Minor, F::None),
    // portage/package/ebuild/_config/LocationsManager.py.
    ("!!! Unable to parse profile: ", "", W::Profile, F::Quoted),
];

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
        let Some(mut complaint) = located(&text).or_else(|| told(&text)) else { continue };
        // The reader of repos.conf has the lines below, and what is wrong with a profile stands there.
        while let Some(more) =
            lines.next_if(|more| more.starts_with('\t') || more.starts_with("!!! ParseError: "))
        {
            complaint.words += " ";
            complaint.words += more.trim().trim_start_matches("!!! ");
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

/// The files of `/etc/portage/env` that package.env (portage(5)) names, each with its line: `cat/pkg one two`.
pub(crate) fn env_files(package_env: &str) -> Vec<(usize, String)> {
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
    let place = lines.next().and_then(|line| line.strip_prefix("file: '")?.split_once("', line: "));
    let file = place.map(|(file, _)| file.to_owned());
    let line = place.and_then(|(_, line)| line.trim().parse().ok());
    Some(Complaint { weight: W::Broken, file, line, item: None, words })
}

const TRACEBACK: &str = "Traceback (most recent call last):";

/// Whether there is an answer at all in what `portageq envvar -v` printed: it ends in a traceback where a file breaks it.
pub(crate) fn is_answer(text: &[u8]) -> bool {
    values(text).contains_key("FEATURES")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentences(text: &str) -> Vec<String> {
        read(text.as_bytes()).iter().map(Complaint::sentence).collect()
    }

    /// What `portageq envvar` and `portageq best_visible` of Portage 3.0.83 printed.
    #[test]
    fn what_portage_says_of_files_it_cannot_read() {
        for (text, want) in [
            (
                "\"/etc/portage/make.conf/make.conf\", line 6: /nope: No such file or directory\n\
                 \"/etc/portage/make.conf/make.conf\", line 6: /nope: No such file or directory\nARCH=amd64\n",
                "/etc/portage/make.conf/make.conf, line 6: /nope: No such file or directory",
            ),
            (
                "\"/etc/portage/make.conf\", line 5: Invalid token 'line' (not '=')\n",
                "/etc/portage/make.conf, line 5: Invalid token 'line' (not '=')",
            ),
            (
                "--- Invalid atom in /etc/portage/package.use/y: test-quick/t4[\n",
                "Invalid atom in /etc/portage/package.use/y: test-quick/t4[",
            ),
            (
                "!!! Error while reading repo config file: Source contains parsing errors: '/etc/portage/repos.conf'\n\
                 \t[line  9]: '[pocket\\n'\nARCH=amd64\n",
                "/etc/portage/repos.conf, line 9: Error while reading repo config file: Source contains parsing \
                 errors: '/etc/portage/repos.conf' [line  9]: '[pocket\\n'",
            ),
            (
                "!!! Section 'other' in repos.conf is missing location attribute\n",
                "/etc/portage/repos.conf: Section 'other' in repos.conf is missing location attribute",
            ),
            (
                "!!! /etc/portage/package.env references non-existent file: /etc/portage/env/nope.conf\n",
                "/etc/portage/package.env references non-existent file: /etc/portage/env/nope.conf",
            ),
            (
                "\x1b[31;01m!!! BINPKG_COMPRESS unsupported lz4. Missing package: app-arch/lz4\x1b[39;49;00m\n",
                "/etc/portage/make.conf: BINPKG_COMPRESS unsupported lz4. Missing package: app-arch/lz4",
            ),
        ] {
            assert_eq!(sentences(text), [want], "{text}");
        }
        let harmless = "ARCH=amd64\nFOO='!!! Section'\n!!! Section 'other' in repos.conf has location attribute set to \
                        nonexistent directory: '/nope'\n";
        assert_eq!(sentences(harmless), [""; 0]);
        let profile = "!!! Unable to parse profile: '/etc/portage/make.profile'\n\
                       !!! ParseError: Profile contains unsupported EAPI '99': '/p/eapi'\n";
        let found = read(profile.as_bytes());
        assert_eq!((found[0].weight, found.len()), (Weight::Profile, 1));
        assert!(found[0].words.ends_with("ParseError: Profile contains unsupported EAPI '99': '/p/eapi'"));
    }

    #[test]
    fn lines_are_looked_up() {
        let mut complaint = read(b"--- Invalid atom in /etc/portage/package.mask: test quick/t4\n").remove(0);
        complaint.locate("# a comment\n\n  test   quick/t4\n");
        let sentence = "/etc/portage/package.mask, line 3: Invalid atom: test quick/t4";
        assert_eq!(complaint.sentence(), sentence);
        let mut complaint =
            read(b"\"/etc/portage/make.conf\", line 3: /nope: No such file or directory\n").remove(0);
        complaint.locate("FOO=1\nsource \"/nope\"\n");
        assert_eq!(complaint.line, Some(2));
        for (told, text, line) in [
            (
                "--- Invalid atom in /e/k: test-quick/",
                "test-quick/t4 ~amd64\n# test-quick/\ntest-quick/ ~amd64\n",
                3,
            ),
            ("--- Invalid atom in /e/packages: a/", "*a/b\n-*a/\n", 2),
            ("--- Invalid USE flag in '/e/use.mask': '++x'", "++xy\n-++x # why\n", 2),
            ("--- Invalid USE flag for 'a/b' in '/e/force': '+-'", "a/b fine\na/b fine +-\n", 2),
            ("Invalid package name in package.provided: a/b", "a/b-1\na/b\n", 2),
            ("!!! Section 'two' in repos.conf is missing location attribute", "[one]\n[two]\n", 2),
            ("!!! Repository 'two' has sync-type attribute, but is missing sync-uri attribute", "[two]\n", 1),
            ("!!! Invalid sync-depth setting for repo two: x", "# [two]\n\n[two]\n", 3),
            (
                "!!! Error while reading repo config file: Bad value substitution: option 'location' in section 'two' contains \
                 an interpolation key 'x'",
                "[one]\nx=1\n[two]\n",
                3,
            ),
        ] {
            let mut complaint = read(told.as_bytes()).remove(0);
            assert!(complaint.locate(text), "{told}");
            assert_eq!(complaint.line, Some(line), "{told}");
        }
        let mut complaint = read(b"--- Invalid USE flag in '/e/use.mask': '++x'\n").remove(0);
        complaint.locate("++x\n");
        assert_eq!(complaint.sentence(), "/e/use.mask, line 1: Invalid USE flag: '++x'");
        let file = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        let files =
            [file("a", "FOO=1\n# BAR=2\n export BAR = 3\nBAR=\"4\"\n"), file("b", "FOOBAR=1\nFOO='2'\n")];
        assert_eq!(assignment(&files, "FOO", ""), Some(("b", 2)));
        assert_eq!(assignment(&files, "BAR", ""), Some(("a", 4)));
        assert_eq!(assignment(&files, "BAZ", ""), None);
        // What adds up is the fault of the file that brings it in.
        let features = [
            file("a", "FEATURES=\"ccache binpkg-signing\"\n"),
            file("b", "FEATURES='buildpkg'\nFEATURES=\"${FEATURES} parallel-fetch\"\n"),
        ];
        let about = "Portage is to sign (FEATURES=binpkg-signing), and has no key";
        assert_eq!(assignment(&features, "FEATURES", about), Some(("a", 1)));
        assert_eq!(assignment(&features, "FEATURES", "buildpkg is wanted"), Some(("b", 1)));
        assert_eq!(assignment(&features, "FEATURES", "something else"), Some(("b", 2)));
        let named = env_files("# x\ncat/a one two # three\n\ncat/b one\n");
        assert_eq!(named, [(2, "one".to_owned()), (2, "two".to_owned()), (4, "one".to_owned())]);
    }

    /// What `portageq best_visible` and `emerge --list-sets` of Portage 3.0.83 ended with.
    #[test]
    fn exceptions() {
        let modules = b"Traceback (most recent call last):\n  File \"/x.py\", line 323, in load_mod\n    mod = __import__(modname)\n\
            \x20         ^^^^^^\nModuleNotFoundError: No module named 'portage.cache.nope'\n";
        let told = exception(modules).unwrap();
        assert_eq!(told.sentence(), "ModuleNotFoundError: No module named 'portage.cache.nope'");
        let sets = b"Traceback (most recent call last):\n  File \"/x.py\", line 1, in y\n\
            configparser.MissingSectionHeaderError: File contains no section headers.\nfile: '/etc/portage/sets.conf', line: 1\n'[x\\n'\n";
        let sentence = "/etc/portage/sets.conf, line 1: configparser.MissingSectionHeaderError: File contains no section headers";
        assert_eq!(exception(sets).unwrap().sentence(), sentence);
        assert_eq!(exception(b"sys-apps/portage-3.0.83\n"), None);
    }

    /// What `bash -n` of bash 5.2 printed.
    #[test]
    fn scripts_that_bash_does_not_read() {
        let text = b"/etc/portage/bashrc: line 3: unexpected EOF while looking for matching `\"'\n\
            /etc/portage/bashrc: line 5: syntax error: unexpected end of file\n/e/env/a/b: line 1: syntax error near unexpected token `)'\n\
            /e/env/a/b: line 1: `)'\n";
        let told: Vec<_> = of_bash(text).iter().map(Complaint::sentence).collect();
        assert_eq!(
            told,
            [
                "/etc/portage/bashrc, line 3: unexpected EOF while looking for matching `\"'",
                "/e/env/a/b, line 1: syntax error near unexpected token `)'"
            ]
        );
    }

    #[test]
    fn sets_that_are_not_there() {
        let wanted = ["@world", "@mine", "cat/pkg"].map(str::to_owned);
        assert_eq!(unknown_sets(&wanted, b"selected\nworld\n"), ["mine"]);
        assert_eq!(unknown_sets(&wanted, b"mine\nworld\n"), [""; 0]);
        assert_eq!(unknown_sets(&wanted, b"Traceback\n"), [""; 0], "nothing was understood");
    }
}
