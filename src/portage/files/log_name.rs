//! The names of build logs, which say of which package they are and when it was begun.
//!
//! Source: `portage/package/ebuild/prepare_build_dirs.py`: `CATEGORY:PF:TIME.log` in `PORTAGE_LOGDIR`, with
//! `FEATURES=split-log` `build/CATEGORY/PF:TIME.log`; `.gz` behind it with `compress-build-logs`.

use crate::portage::names::cpv::Cpv;

/// What the name of a log says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogName {
    /// The package.
    pub cpv: Cpv,
    /// `20261122-101500`, in UTC, which sorts.
    pub time: String,
    /// It ends with `.gz`.
    pub compressed: bool,
}

impl LogName {
    /// Takes `name-version:time.log` of a category apart.
    pub(crate) fn of(category: &str, name: &str) -> Option<Self> {
        let (name, compressed) = name.strip_suffix(".gz").map_or((name, false), |name| (name, true));
        let (pf, time) = name.strip_suffix(".log")?.rsplit_once(':')?;
        let cpv = Cpv::parse(format!("{category}/{pf}").as_bytes())?;
        Some(Self { cpv, time: time.to_owned(), compressed })
    }

    /// The same of a path below the directory of the logs, in either form.
    #[must_use]
    pub fn parse(path: &str) -> Option<Self> {
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
        match directory.strip_prefix("build/") {
            Some(category) => Self::of(category, name),
            None if directory.is_empty() => {
                name.split_once(':').and_then(|(category, rest)| Self::of(category, rest))
            }
            None => None,
        }
    }

    /// Whether another log of the same package is to be read in the place of this one: a newer one, or the same uncompressed.
    pub(crate) fn is_before(&self, other: &Self) -> bool {
        (&self.time, !self.compressed) < (&other.time, !other.compressed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_both_forms() {
        for (path, cpv, time, compressed) in [
            ("app-misc:hello-2.10:20261120-101500.log", "app-misc/hello-2.10", "20261120-101500", false),
            (
                "build/app-misc/hello-2.10:20261120-101500.log.gz",
                "app-misc/hello-2.10",
                "20261120-101500",
                true,
            ),
        ] {
            let name = LogName::parse(path).unwrap();
            assert_eq!((name.cpv.as_str(), name.time.as_str(), name.compressed), (cpv, time, compressed));
        }
        for path in [
            "emerge.log",
            "elog/summary.log",
            "build/a/b.log",
            "build/a/b-1:x",
            "elog/a:b-1:2.log",
            "build/x/a/b-1:2.log",
        ] {
            assert_eq!(LogName::parse(path), None, "{path}");
        }
    }
}
