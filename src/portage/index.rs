//! The index of the binary packages, `PKGDIR/Packages`.
//!
//! Source: `portage/getbinpkg.py:PackageIndex`. Blocks of `KEY: value` lines, separated by blank lines;
//! the first is about the whole index, each of the others about one package.

use std::collections::BTreeSet;

use super::cpv::Cpv;

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

/// The packages of an index, in its order: of one version the newest build last. A damaged block is
/// skipped.
#[must_use]
pub fn binaries(text: &[u8]) -> Vec<Binary> {
    let text = String::from_utf8_lossy(text);
    let blocks = text.split("\n\n").skip(1);
    let value = |block: &str, key: &str| {
        block.lines().find_map(|line| Some(line.strip_prefix(key)?.strip_prefix(": ")?.to_owned()))
    };
    let binary = |block: &str| {
        let cpv = Cpv::parse(value(block, "CPV")?.trim().as_bytes())?;
        let flags = value(block, "USE").unwrap_or_default();
        let built = value(block, "BUILD_TIME").and_then(|time| time.trim().parse().ok());
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
}
