//! The directory in which a package is built: `PORTAGE_TMPDIR/portage/CATEGORY/NAME-VERSION`.

use crate::portage::names::cpv::Cpv;

/// What of it a build works in (`doebuild.py:doebuild_environment`).
const WITHIN: [&str; 3] = ["work", "temp", "homedir"];

/// The package whose build works at this path; nothing when none does.
pub(crate) fn package_at(path: &str) -> Option<Cpv> {
    let parts: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
    parts.windows(4).find_map(|parts| match parts {
        ["portage", category, name, within] if WITHIN.contains(within) => {
            Cpv::parse(format!("{category}/{name}").as_bytes())
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_build_works_is_its_package() {
        for (path, package) in [
            ("/var/tmp/portage/dev-libs/icu-77.1/work/icu/source/a.cpp", Some("dev-libs/icu-77.1")),
            ("/var/tmp/portage/dev-libs/icu-77.1-r2/temp", Some("dev-libs/icu-77.1-r2")),
            ("/mnt/fast/portage/a/b-1/work/portage/c/d-2/work/x.c", Some("a/b-1")),
            // An own checkout of Portage, and what only looks like a build.
            ("/root/portage/lib/portage/x.c", None),
            ("/var/tmp/portage/a/b/work/x.c", None),
            ("/var/tmp/portage/a/b-1/image/x.c", None),
            ("var/tmp/portage/a/b-1/work/x.c", None),
            ("", None),
        ] {
            assert_eq!(package_at(path).as_ref().map(Cpv::as_str), package, "{path}");
        }
    }
}
