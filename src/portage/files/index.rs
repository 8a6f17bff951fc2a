//! The index of the binary packages, `PKGDIR/Packages`.
//!
//! Source: `portage/getbinpkg.py:PackageIndex`. Blocks of `KEY: value` lines, separated by blank lines;
//! the first is about the whole index, each of the others about one package.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::gpkg::digests::Whole;
use crate::portage::names::cpv::Cpv;
use crate::portage::output::conceal::concealed_text;

/// The whole index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Index {
    /// What is true of all packages: `PACKAGES`, `TIMESTAMP`, `REPO_REVISIONS`, and what a package leaves out
    /// because it is the same for most (`CHOST`, `repository`).
    pub header: Block,
    /// The packages, in the order of the file: of one version the newest build last.
    pub packages: Vec<Package>,
    /// How many blocks there are besides that name no package.
    pub unreadable: usize,
}

impl Index {
    /// Reads an index. A block that names no package is skipped, and counted.
    ///
    /// The blocks share the text, which is not copied when it is handed over.
    #[must_use]
    pub fn parse<'a>(text: impl Into<Cow<'a, [u8]>>) -> Self {
        let text = String::from_utf8(text.into().into_owned());
        let text = Arc::new(text.unwrap_or_else(|bad| String::from_utf8_lossy(bad.as_bytes()).into_owned()));
        let (mut header, mut packages, mut unreadable) = (None, Vec::new(), 0);
        let mut begin = 0;
        let ends = memchr::memmem::find_iter(text.as_bytes(), "\n\n").chain([text.len()]);
        for end in ends {
            let block = Block::part(&text, begin..end);
            begin = end + 2;
            if header.is_none() {
                header = Some(block);
            } else if !block.text().trim().is_empty() {
                match Package::new(block) {
                    Some(package) => packages.push(package),
                    None => unreadable += 1,
                }
            }
        }
        Self { header: header.unwrap_or_default(), packages, unreadable }
    }
}

/// The file as Portage writes it.
impl fmt::Display for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n\n", self.header)?;
        self.packages.iter().try_for_each(|package| write!(f, "{}\n\n", package.block))
    }
}

/// `KEY: value` lines, kept as they were read.
#[derive(Clone, Default)]
pub struct Block {
    /// What it is a part of; it alone once it was changed.
    whole: Arc<String>,
    range: Range<usize>,
}

impl Block {
    /// A part of a text, without the ends of lines around it.
    fn part(whole: &Arc<String>, range: Range<usize>) -> Self {
        let text = &whole[range.clone()];
        let begin = range.start + (text.len() - text.trim_start_matches('\n').len());
        let end = begin + text.trim_matches('\n').len();
        Self { whole: Arc::clone(whole), range: begin..end }
    }

    fn new(text: String) -> Self {
        Self { range: 0..text.len(), whole: Arc::new(text) }
    }

    fn text(&self) -> &str {
        &self.whole[self.range.clone()]
    }

    /// The value of a key; one without a value has an empty one.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        let mut rest = self.text();
        loop {
            let end = memchr::memchr(b'\n', rest.as_bytes());
            let line = &rest[..end.unwrap_or(rest.len())];
            if let Some(value) = line.strip_prefix(key).and_then(|value| value.strip_prefix(':')) {
                return Some(value.trim());
            }
            rest = &rest[end? + 1..];
        }
    }

    /// The values of several keys, all found at once; an empty text where there is none.
    pub(crate) fn values<const N: usize>(&self, keys: [&str; N]) -> [&str; N] {
        let mut found = [None; N];
        let mut rest = self.text();
        while !rest.is_empty() {
            let (line, after) = match memchr::memchr(b'\n', rest.as_bytes()) {
                Some(end) => (&rest[..end], &rest[end + 1..]),
                None => (rest, ""),
            };
            rest = after;
            let Some(end) = memchr::memchr(b':', line.as_bytes()) else { continue };
            if let Some(at) = keys.iter().position(|key| *key == &line[..end]) {
                found[at].get_or_insert_with(|| line[end + 1..].trim());
            }
        }
        found.map(Option::unwrap_or_default)
    }

    /// Gives a key another value, in the place of the old one, else at the end.
    ///
    /// # Panics
    /// When key or value has more than one line, which would be another index.
    pub(crate) fn set(&mut self, key: &str, value: &str) {
        self.set_all(&[(key, value)]);
    }

    /// The same for several, each of another key.
    pub(crate) fn set_all(&mut self, values: &[(&str, &str)]) {
        let mut length = self.range.len();
        for (key, value) in values {
            assert!(!key.contains([':', '\n']) && !value.contains('\n'), "{key}: {value:?} is not one line");
            length += key.len() + value.len() + 3;
        }
        let mut text = String::with_capacity(length);
        let mut new = values.to_vec();
        for line in self.text().lines() {
            let key = line.split(':').next();
            match new.iter().position(|(name, _)| Some(*name) == key) {
                Some(at) => push_value(&mut text, new.remove(at)),
                None => push_line(&mut text, line),
            }
        }
        for value in new {
            push_value(&mut text, value);
        }
        *self = Self::new(text);
    }

    /// Takes names and passwords out of addresses, such as those of `GENTOO_MIRRORS`.
    pub(crate) fn conceal(&mut self) {
        *self = Self::new(concealed_text(self.text()));
    }

    /// Keys and values, in order.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (&str, &str)> {
        self.text().lines().filter_map(|line| {
            let (key, value) = line.split_once(':')?;
            Some((key, value.trim()))
        })
    }
}

fn push_line(text: &mut String, line: &str) {
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(line);
}

fn push_value(text: &mut String, (key, value): (&str, &str)) {
    push_line(text, key);
    text.push_str(": ");
    text.push_str(value);
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Block").field(&self.text()).finish()
    }
}

impl PartialEq for Block {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Eq for Block {}

/// One build of one package, as an index describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// Which; several builds of it may be there.
    pub cpv: Cpv,
    /// Everything else that is said of it.
    pub block: Block,
}

impl Package {
    fn new(block: Block) -> Option<Self> {
        let cpv = Cpv::parse(block.get("CPV")?.as_bytes())?;
        Some(Self { cpv, block })
    }

    /// The value of a key; an empty text where the index leaves it out, which means the same.
    #[must_use]
    pub fn get(&self, key: &str) -> &str {
        self.block.get(key).unwrap_or_default()
    }

    /// The USE flags it was built with, expanded ones among them.
    pub(crate) fn flags(&self) -> impl Iterator<Item = &str> {
        self.get("USE").split_whitespace()
    }

    /// See [`slot_of`].
    pub(crate) fn slot(&self) -> (&str, &str) {
        slot_of(self.get("SLOT"))
    }

    /// When its build ended, in seconds since 1970.
    pub(crate) fn built(&self) -> Option<i64> {
        self.get("BUILD_TIME").parse().ok()
    }

    /// The number of the build, with `binpkg-multi-instance`.
    pub(crate) fn build_id(&self) -> Option<u64> {
        self.get("BUILD_ID").parse().ok()
    }

    /// See [`File::path`].
    pub(crate) fn path(&self) -> Cow<'_, str> {
        self.block.get("PATH").map_or_else(|| format!("{}.tbz2", self.cpv).into(), Into::into)
    }

    /// The file it is in.
    #[must_use]
    pub fn file(&self) -> File {
        let value = |key| self.block.get(key).map(str::to_owned);
        File {
            path: self.path().into_owned(),
            size: self.get("SIZE").parse().ok(),
            md5: value("MD5"),
            sha1: value("SHA1"),
        }
    }
}

/// The slot and the sub-slot of a SLOT; without a sub-slot the slot is both (PMS, chapter 7).
pub(crate) fn slot_of(text: &str) -> (&str, &str) {
    let slot = if text.is_empty() { "0" } else { text };
    slot.split_once('/').unwrap_or((slot, slot))
}

/// One binary package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binary {
    /// The package; several builds of it may be there.
    pub cpv: Cpv,
    /// The USE flags it was built with, expanded ones among them.
    pub flags: BTreeSet<String>,
    /// When its build ended, in seconds since 1970: Portage writes it down after `src_install`
    /// (`portage/package/ebuild/doebuild.py`).
    pub built: Option<i64>,
}

/// The file of a binary package, as an index describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Below PKGDIR. Where the index names none it is `CPV.tbz2` (`portage/dbapi/bintree.py:_populate_local`).
    pub path: String,
    /// Bytes; absent when the index does not say, or nothing sensible.
    pub size: Option<u64>,
    /// In hexadecimal digits.
    pub md5: Option<String>,
    /// In hexadecimal digits.
    pub sha1: Option<String>,
}

impl File {
    /// Where a file is not what the index says, in a few words; an index that does not say is not trusted
    /// by Portage either (`portage/getbinpkg.py`, 3.0.83).
    #[must_use]
    pub fn disagreement(&self, whole: &Whole) -> Option<&'static str> {
        let same = |ours: &str, theirs: &Option<String>| {
            theirs.as_ref().is_some_and(|theirs| theirs.eq_ignore_ascii_case(ours))
        };
        if self.size != Some(whole.size) {
            Some("its size")
        } else if !same(&whole.md5, &self.md5) {
            Some("its MD5")
        } else if !same(&whole.sha1, &self.sha1) {
            Some("its SHA1")
        } else {
            None
        }
    }
}

/// Reads an index that has to be whole. Portage counts the packages in the header
/// (`portage/getbinpkg.py:PackageIndex.write`); without a count nothing is known to be missing.
///
/// # Errors
/// When there are fewer or more, in words that follow the name of the file.
pub(crate) fn whole<'a>(text: impl Into<Cow<'a, [u8]>>) -> Result<Index, String> {
    let index = Index::parse(text);
    let read = index.packages.len() + index.unreadable;
    match index.header.get("PACKAGES").map(str::parse::<usize>) {
        _ if index.header.lines().next().is_none() => Err("is empty".to_owned()),
        None => Ok(index),
        Some(Ok(counted)) if read == counted => Ok(index),
        Some(Ok(counted)) => Err(format!("is damaged: it counts {counted} packages, and has {read}")),
        Some(Err(_)) => Err("is damaged: the number of its packages is none".to_owned()),
    }
}

/// The packages of an index as far as it matters for what Portage would do with them, in its order.
#[must_use]
pub fn binaries(text: &[u8]) -> Vec<Binary> {
    let binary = |package: Package| Binary {
        flags: package.flags().map(str::to_owned).collect(),
        built: package.built(),
        cpv: package.cpv,
    };
    Index::parse(text).packages.into_iter().map(binary).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_portage_says_besides_stays() {
        let text = "VERSION: 9\nMOOD: calm\n\nCPV: a/b-1\nWEIGHT: 7\nSIZE: 1\nODD\n\n";
        let mut index = Index::parse(text.as_bytes());
        assert_eq!(index.to_string(), text);
        index.header.set("VERSION", "10");
        index.packages[0].block.set("SIZE", "2");
        assert_eq!(
            index.to_string(),
            text.replace("VERSION: 9", "VERSION: 10").replace("SIZE: 1", "SIZE: 2")
        );
    }

    #[test]
    fn a_real_index_and_a_damaged_one() {
        let real = binaries(include_bytes!("../../../tests/captured/Packages"));
        assert_eq!(real.len(), 29);
        let flags = |name: &str| real.iter().find(|b| b.cpv.as_str() == name).map(|b| b.flags.clone());
        assert_eq!(flags("app-admin/logrotate-3.21.0"), Some(BTreeSet::new()));
        assert!(real.iter().all(|binary| binary.built.is_some_and(|time| time > 1_795_000_000)));
        let freetype = flags("media-libs/freetype-2.12.1").expect("it is there");
        assert!(freetype.contains("bzip2") && !freetype.contains("harfbuzz"), "{freetype:?}");
        let damaged = b"VERSION: 0\n\nCPV: no name\n\nUSE: a\n\n\n\nCPV: a/b-1\nUSE: c d\n\nCPV";
        assert_eq!(Index::parse(damaged).unreadable, 3);
        let damaged = binaries(damaged);
        let [only] = &damaged[..] else { panic!("{damaged:?}") };
        assert_eq!((only.cpv.as_str(), only.flags.len()), ("a/b-1", 2));
        assert!(binaries(b"").is_empty());
    }

    #[test]
    fn an_index_that_is_not_whole_is_known_by_its_own_count() {
        let real = include_str!("../../../tests/captured/Packages");
        assert_eq!(whole(real.as_bytes()).map(|index| index.packages.len()), Ok(29));
        assert!(whole(b"VERSION: 0\n\nCPV: a/b-1\n\n").is_ok(), "it counts nothing");
        let cut = &real[..real.len() / 2];
        for (text, why) in
            [("", "is empty"), (cut, "counts 29 packages"), ("PACKAGES: many\n\nCPV: a/b-1\n", "is none")]
        {
            assert!(whole(text.as_bytes()).is_err_and(|found| found.contains(why)), "{why}");
        }
    }

    #[test]
    fn an_index_is_written_as_it_was_read() {
        let text = include_str!("../../../tests/captured/Packages");
        let index = Index::parse(text.as_bytes());
        assert_eq!(index.to_string(), text);
        assert_eq!(index.header.get("PACKAGES"), Some("29"));
        for package in &index.packages {
            let keys: Vec<&str> = package.block.lines().map(|(key, _)| key).collect();
            assert!(keys.iter().all(|key| package.get(key) == package.block.values([key, "X"])[0]));
            assert_eq!(package.block.values(["SLO", "LOT", "T"]), [""; 3]);
        }
        let lzop = index.packages.iter().find(|package| package.cpv.pn() == "lzop").expect("it is there");
        assert_eq!((lzop.slot(), lzop.build_id()), (("0", "0"), Some(1)));
        assert_eq!((lzop.get("RDEPEND"), lzop.get("PDEPEND")), ("dev-libs/lzo:0/2=", ""));
        assert_eq!(index.packages[1].slot(), ("0", "1"));
    }

    #[test]
    fn a_value_is_set_in_its_place() {
        let mut header = Block::new("PACKAGES: 3\nURI:\nVERSION: 0".to_owned());
        header.set("PACKAGES", "4");
        header.set("URI", "a:b");
        header.set("TTL", "60");
        let mut at_once = Block::new("PACKAGES: 3\nURI:\nVERSION: 0".to_owned());
        at_once.set_all(&[("TTL", "60"), ("URI", "a:b"), ("PACKAGES", "4")]);
        assert_eq!(at_once, header);
        assert_eq!(header.to_string(), "PACKAGES: 4\nURI: a:b\nVERSION: 0\nTTL: 60");
        header.set("GENTOO_MIRRORS", "http://me:secret@a http://b");
        header.conceal();
        assert_eq!(header.get("GENTOO_MIRRORS"), Some("http://***@a http://b"));
        assert_eq!(header.get("URI"), Some("a:b"));
    }

    /// The blocks as the format describes them: between empty lines, each a text of its own.
    fn in_parts(text: &[u8]) -> (String, Vec<String>, usize) {
        let text = String::from_utf8_lossy(text);
        let mut blocks = text.split("\n\n").map(|block| block.trim_matches('\n').to_owned());
        let header = blocks.next().unwrap_or_default();
        let cpv = |block: &str| {
            let first = block.split('\n').find_map(|line| line.strip_prefix("CPV:"));
            first.and_then(|cpv| Cpv::parse(cpv.trim().as_bytes())).is_some()
        };
        let (packages, others): (Vec<_>, Vec<_>) = blocks.partition(|block| cpv(block));
        (header, packages, others.iter().filter(|block| !block.trim().is_empty()).count())
    }

    /// The first value of each key, by lines.
    fn first_of(block: &str, key: &str) -> String {
        let mut values = block.lines().filter_map(|line| line.split_once(':'));
        values.find(|(name, _)| *name == key).map_or(String::new(), |(_, value)| value.trim().to_owned())
    }

    proptest::proptest! {
        #[test]
        fn blocks_that_share_a_text_are_what_they_are_alone(
            pieces in proptest::collection::vec(proptest::sample::select(vec![
                "\n", "\n\n", "\n\n\n", "CPV: a/b-1", "CPV: a/c-2\n", "CPV:", "CPV: none", "SLOT: 0/1", "USE:a \r", ":", " ", "é", "USE: b\nUSE: c",
                "\u{2028}", "\0",
            ]), 0..24),
            cut in 0..4_usize,
        ) {
            let mut text = pieces.concat().into_bytes();
            // In the middle of a letter, too.
            text.truncate(text.len().saturating_sub(cut));
            let (header, packages, unreadable) = in_parts(&text);
            let index = Index::parse(&text);
            let blocks: Vec<_> = index.packages.iter().map(|package| package.block.to_string()).collect();
            proptest::prop_assert_eq!((index.header.to_string(), blocks, index.unreadable), (header, packages, unreadable));
            for package in &index.packages {
                let keys = ["CPV", "USE", "SLOT", "", "X"];
                let text = package.block.to_string();
                proptest::prop_assert_eq!(package.block.values(keys), keys.map(|key| first_of(&text, key)));
                proptest::prop_assert_eq!(&package.block, &Block::new(text));
            }
        }
    }

    #[test]
    fn files_of_a_real_index_and_of_an_old_one() {
        let files = |text: &[u8]| Index::parse(text).packages.iter().map(Package::file).collect::<Vec<_>>();
        let real = files(include_bytes!("../../../tests/captured/Packages"));
        let logrotate = File {
            path: "app-admin/logrotate/logrotate-3.21.0-1.gpkg.tar".into(),
            size: Some(61440),
            md5: Some("f2b232b15044b3f5d05e99ae9c4701a2".into()),
            sha1: Some("70d7f1d1259eded782cff139823cccc81daed4b9".into()),
        };
        assert_eq!((real.len(), real.first()), (29, Some(&logrotate)));
        let old = files(b"VERSION: 0\n\nCPV: a/b-1\nSIZE: many\n\nUSE: a\n");
        assert_eq!(old, [File { path: "a/b-1.tbz2".into(), size: None, md5: None, sha1: None }]);
    }
}
