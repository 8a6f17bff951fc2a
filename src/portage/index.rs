//! The index of the binary packages, `PKGDIR/Packages`.
//!
//! Source: `portage/getbinpkg.py:PackageIndex`. Blocks of `KEY: value` lines, separated by blank lines;
//! the first is about the whole index, each of the others about one package.

use std::collections::BTreeSet;

use super::cpv::Cpv;
use super::gpkg::digests::Whole;

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

/// The files of an index, in its order. A block without a package is skipped.
#[must_use]
pub fn files(text: &[u8]) -> Vec<File> {
    let text = String::from_utf8_lossy(text);
    let file = |block: &str| {
        let path = value(block, "PATH").or_else(|| Some(format!("{}.tbz2", value(block, "CPV")?)))?;
        let size = value(block, "SIZE").and_then(|size| size.parse().ok());
        Some(File { path, size, md5: value(block, "MD5"), sha1: value(block, "SHA1") })
    };
    text.split("\n\n").skip(1).filter_map(file).collect()
}

fn value(block: &str, key: &str) -> Option<String> {
    block.lines().find_map(|line| Some(line.strip_prefix(key)?.strip_prefix(": ")?.trim().to_owned()))
}

/// The packages of an index, in its order: of one version the newest build last. A damaged block is
/// skipped.
#[must_use]
pub fn binaries(text: &[u8]) -> Vec<Binary> {
    let text = String::from_utf8_lossy(text);
    let blocks = text.split("\n\n").skip(1);
    let binary = |block: &str| {
        let cpv = Cpv::parse(value(block, "CPV")?.as_bytes())?;
        let flags = value(block, "USE").unwrap_or_default();
        let built = value(block, "BUILD_TIME").and_then(|time| time.parse().ok());
        Some(Binary { cpv, flags: flags.split_whitespace().map(str::to_owned).collect(), built })
    };
    blocks.filter_map(binary).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_real_index_and_a_damaged_one() {
        let real = binaries(include_bytes!("../../tests/captured/Packages"));
        assert_eq!(real.len(), 29);
        let flags = |name: &str| real.iter().find(|b| b.cpv.as_str() == name).map(|b| b.flags.clone());
        assert_eq!(flags("app-admin/logrotate-3.21.0"), Some(BTreeSet::new()));
        assert!(real.iter().all(|binary| binary.built.is_some_and(|time| time > 1_795_000_000)));
        let freetype = flags("media-libs/freetype-2.12.1").expect("it is there");
        assert!(freetype.contains("bzip2") && !freetype.contains("harfbuzz"), "{freetype:?}");
        let damaged = binaries(b"VERSION: 0\n\nCPV: no name\n\nUSE: a\n\nCPV: a/b-1\nUSE: c d\n\nCPV");
        let [only] = &damaged[..] else { panic!("{damaged:?}") };
        assert_eq!((only.cpv.as_str(), only.flags.len()), ("a/b-1", 2));
        assert!(binaries(b"").is_empty());
    }

    #[test]
    fn files_of_a_real_index_and_of_an_old_one() {
        let real = files(include_bytes!("../../tests/captured/Packages"));
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
