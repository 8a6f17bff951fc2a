//! The database of installed packages: a directory `/var/db/pkg/CATEGORY/PF` for each, and in it a file
//! for each value.
//!
//! Source: `bin/phase-functions.sh:__dyn_install` (which values), `portage/dep/_slot_operator.py` (the bound
//! dependencies), `portage/util/_dyn_libs/soname_deps.py` (the sonames) and
//! `portage/dbapi/vartree.py:dblink` (CONTENTS).

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::portage::names::cpv::Cpv;

/// An installed package: what of it can go out of date without a new version of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// The package.
    pub cpv: Cpv,
    /// Its slot.
    pub slot: Slot,
    /// When it was built, in seconds since 1970.
    pub built: Option<i64>,
    /// What its dependencies with `:=` were bound to when it was built.
    pub bound: BTreeSet<Bound>,
    /// What it depends on in whatever slot, as `category/package`.
    pub plain: BTreeSet<String>,
    /// The libraries its files link to and that are not its own.
    pub requires: BTreeSet<Soname>,
    /// The libraries it brings.
    pub provides: BTreeSet<Soname>,
}

impl Installed {
    /// Reads a package; `value` returns the text of the file of that name, or an empty one. `None` when
    /// there is no slot, which every whole entry has.
    pub(crate) fn read(cpv: Cpv, value: impl Fn(&str) -> String) -> Option<Self> {
        let dependencies = ["DEPEND", "RDEPEND", "PDEPEND"].map(&value).join(" ");
        Some(Self {
            cpv,
            slot: Slot::parse(value("SLOT").trim())?,
            built: value("BUILD_TIME").trim().parse().ok(),
            bound: bound(&dependencies),
            plain: plain(&dependencies),
            requires: owned(&value("REQUIRES")),
            provides: owned(&value("PROVIDES")),
        })
    }

    /// The atom of whatever version there is for its slot.
    pub(crate) fn atom(&self) -> String {
        format!("{}:{}", self.cpv.cp(), self.slot.name)
    }
}

/// `SLOT`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Slot {
    /// The slot.
    pub name: String,
    /// The sub-slot; the slot itself where none is given.
    pub sub: String,
}

impl Slot {
    /// Reads `SLOT/SUBSLOT` or `SLOT`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (name, sub) = text.split_once('/').unwrap_or((text, text));
        let named = !name.is_empty() && !sub.is_empty();
        named.then(|| Self { name: name.to_owned(), sub: sub.to_owned() })
    }
}

/// A dependency with `:=` as it is recorded: `dev-lang/perl:0/5.40=`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bound {
    /// `category/package`.
    pub cp: String,
    /// What was installed at build time.
    pub slot: Slot,
}

/// The bound dependencies among these; everything else is passed over.
pub(crate) fn bound(dependencies: &str) -> BTreeSet<Bound> {
    let read = |word: &str| {
        let atom = word.split('[').next()?.split("::").next()?;
        let (name, slot) = atom.strip_suffix('=')?.split_once(':')?;
        if name.starts_with('!') {
            return None;
        }
        let name = name.trim_start_matches(['<', '>', '=', '~']);
        let cp = if name.len() + 1 + slot.len() + 1 == atom.len() {
            name.to_owned()
        } else {
            Cpv::parse(name.trim_end_matches('*').as_bytes())?.cp().to_owned()
        };
        // Without a sub-slot it was not bound: nothing was installed that it could have been bound to.
        slot.contains('/').then_some(Bound { cp, slot: Slot::parse(slot)? })
    };
    dependencies.split_whitespace().filter_map(read).collect()
}

/// The dependencies without a slot among these, as `category/package`.
pub(crate) fn plain(dependencies: &str) -> BTreeSet<String> {
    let read = |word: &str| {
        let atom = word.split('[').next()?.split("::").next()?;
        if atom.starts_with('!') || atom.contains(':') || !atom.contains('/') {
            return None;
        }
        let name = atom.trim_start_matches(['<', '>', '=', '~']);
        if name.len() == atom.len() {
            return Some(name.to_owned());
        }
        Some(Cpv::parse(name.trim_end_matches('*').as_bytes())?.cp().to_owned())
    };
    dependencies.split_whitespace().filter_map(read).collect()
}

/// A directory whose name ends in a version: `/usr/lib64/perl5/vendor_perl/5.40`, `/usr/lib64/ghc-9.2.8`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Versioned {
    /// Its path up to the version.
    pub place: String,
    /// The version: numbers with points between them.
    pub version: String,
}

impl fmt::Display for Versioned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.place, self.version)
    }
}

/// The most bytes of a path (path_resolution(7)).
const PATH_MAX: usize = 4096;

/// The directories of a package whose names end in a version, by its CONTENTS: `dir PATH`, `obj PATH DIGEST TIME`. Those
/// right below `/` and `/usr` (`lib64`) are none.
#[must_use]
pub fn versioned(contents: &str) -> BTreeSet<Versioned> {
    let mut found = Vec::new();
    let mut last = "";
    for line in contents.lines() {
        let directory = match line.split_once(' ') {
            Some(("dir", path)) => path,
            Some(("obj", rest)) => rest.rsplit_once('/').map_or("", |(directory, _)| directory),
            _ => continue,
        };
        // No file system has longer ones.
        if directory == last || directory.len() > PATH_MAX {
            continue;
        }
        last = directory;
        let ends = directory.match_indices('/').map(|(at, _)| at).chain([directory.len()]).skip(3);
        found.extend(ends.filter_map(|end| split_version(&directory[..end])));
    }
    found.sort_unstable();
    found.dedup();
    let owned =
        |(place, version): (&str, &str)| Versioned { place: place.to_owned(), version: version.to_owned() };
    found.into_iter().map(owned).collect()
}

/// The path up to the version, and the version.
fn split_version(directory: &str) -> Option<(&str, &str)> {
    let place = directory.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    let version = directory.get(place.len()..)?;
    let numbers = version.split('.').all(|number| !number.is_empty()) && !place.ends_with("-r");
    (numbers && !version.is_empty()).then_some((place, version))
}

/// The name by which programs find a library.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Soname {
    /// The architecture, such as `x86_64`: Portage's multilib category.
    pub abi: String,
    /// The name, such as `libperl.so.5.40`.
    pub name: String,
}

impl Soname {
    /// The same without a text of its own.
    pub(crate) fn by_ref(&self) -> SonameRef<'_> {
        SonameRef { abi: &self.abi, name: &self.name }
    }

    /// See there.
    pub(crate) fn family(&self) -> &str {
        self.by_ref().family()
    }
}

/// The same in somebody else's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SonameRef<'a> {
    pub(crate) abi: &'a str,
    pub(crate) name: &'a str,
}

impl<'a> SonameRef<'a> {
    /// The name without its version, which stands after `.so` or, of some libraries, before it:
    /// `libperl.so.5.40`, `libbfd-2.43.so`.
    pub(crate) fn family(self) -> &'a str {
        let end = self.name.as_bytes().windows(3).position(|three| three == b".so");
        let stem = end.map_or(self.name, |end| &self.name[..end]);
        let bare = stem.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
        bare.strip_suffix('-').unwrap_or(stem)
    }
}

/// Reads REQUIRES or PROVIDES: `x86_32: liba.so.1 x86_64: liba.so.1 libb.so.2`.
pub(crate) fn sonames(text: &str) -> impl Iterator<Item = SonameRef<'_>> {
    let mut abi = None;
    text.split_whitespace().filter_map(move |word| match word.strip_suffix(':') {
        Some(next) => {
            abi = Some(next);
            None
        }
        None => abi.map(|abi| SonameRef { abi, name: word }),
    })
}

fn owned(text: &str) -> BTreeSet<Soname> {
    let owned = |soname: SonameRef| Soname { abi: soname.abi.to_owned(), name: soname.name.to_owned() };
    sonames(text).map(owned).collect()
}

/// Whether a package has files below a directory, by its CONTENTS: `obj PATH DIGEST TIME` and the like.
pub(crate) fn owns_below(contents: &str, directory: &str) -> bool {
    contents.contains(&format!(" {directory}/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn a_family_is_what_stands_before_the_first_so(name in "[a-z0-9.é-]{0,6}(\\.so)?[a-z0-9.]{0,4}(\\.so)?[0-9.]{0,3}") {
            let stem = name.split(".so").next().unwrap();
            let bare = stem.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
            let expected = bare.strip_suffix('-').unwrap_or(stem);
            proptest::prop_assert_eq!(SonameRef { abi: "x86_64", name: &name }.family(), expected);
        }
    }

    #[test]
    fn bound_dependencies() {
        for (text, want) in [
            ("dev-lang/perl:0/5.40=", &[("dev-lang/perl", "0", "5.40")][..]),
            ("|| ( =dev-lang/perl-5.42* ) dev-lang/perl:0/5.40=", &[("dev-lang/perl", "0", "5.40")]),
            (">=dev-libs/icu-76.1:0/76.1=[abi_x86_64(-)]", &[("dev-libs/icu", "0", "76.1")]),
            ("~dev-libs/foo-1:2/2=::gentoo", &[("dev-libs/foo", "2", "2")]),
            ("=dev-libs/foo-1*:2/3=", &[("dev-libs/foo", "2", "3")]),
            ("foo? ( a/b:0/1= ) c/d:0/2=", &[("a/b", "0", "1"), ("c/d", "0", "2")]),
            ("dev-lang/perl dev-lang/perl:= a/b:0= a/b:0/1 a/b:* !a/b:0/1= !!<a/b-2:0/1= = := a/b:/=", &[]),
        ] {
            let want: BTreeSet<Bound> = want
                .iter()
                .map(|(cp, name, sub)| Bound {
                    cp: (*cp).to_owned(),
                    slot: Slot { name: (*name).to_owned(), sub: (*sub).to_owned() },
                })
                .collect();
            assert_eq!(bound(text), want, "{text}");
        }
    }

    #[test]
    fn libraries() {
        let soname = |abi, name| SonameRef { abi, name };
        let read = sonames("lost x86_64: libb.so x86_32: liba.so.1 x86_64: liba.so.1 libb.so\n");
        assert_eq!(
            read.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>(),
            [soname("x86_32", "liba.so.1"), soname("x86_64", "liba.so.1"), soname("x86_64", "libb.so")]
        );
        for (name, family) in [
            ("libperl.so.5.40", "libperl"),
            ("libLLVM.so.19.1", "libLLVM"),
            ("libLLVM-17.so", "libLLVM"),
            ("libbfd-2.43.so", "libbfd"),
            ("libgtk-3.so.0", "libgtk"),
            ("libz.so.1", "libz"),
            ("libusb-1.0.so.0", "libusb"),
            ("libsha1.so.0", "libsha1"),
            ("ld-linux-x86-64.so.2", "ld-linux-x86"),
            ("plugin", "plugin"),
        ] {
            assert_eq!(soname("x86_64", name).family(), family, "{name}");
        }
    }

    #[test]
    fn files() {
        let contents = "dir /usr/lib/perl5\nobj /usr/lib/perl5/vendor_perl/5.40/A b.pm c648 1795387639\n";
        assert!(owns_below(contents, "/usr/lib/perl5/vendor_perl/5.40"));
        assert!(!owns_below(contents, "/usr/lib/perl5/vendor_perl/5.4"));
        assert!(!owns_below(contents, "/lib/perl5/vendor_perl/5.40"));
    }

    #[test]
    fn directories_that_end_in_a_version() {
        let contents = "dir /usr\ndir /usr/lib64\ndir /usr/lib64/ocaml-5.2\nobj /usr/lib64/lua/5.4/a b.so c648 1795387639\n\
            obj /usr/share/doc/x-1.2-r1/README c648 1\nsym /usr/lib64/x/9 -> 10 1\nobj /usr/lib64/php8.3/lib/e.so c 1\n";
        let found: Vec<String> = versioned(contents).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["/usr/lib64/lua/5.4", "/usr/lib64/ocaml-5.2", "/usr/lib64/php8.3"]);
    }

    #[test]
    fn dependencies_without_a_slot() {
        let text = "|| ( >=dev-lang/ocaml-4.14 dev-lang/perl:= ) foo? ( =dev-lang/R-4*[x] ) !a/b a/c:2 dev-lang/lua::gentoo";
        let want = ["dev-lang/R", "dev-lang/lua", "dev-lang/ocaml"];
        assert_eq!(plain(text), want.map(str::to_owned).into());
    }

    #[test]
    fn a_package_and_half_of_one() {
        let cpv = || Cpv::parse(b"dev-lang/perl-5.40.2").unwrap();
        let whole = Installed::read(cpv(), |key| match key {
            "SLOT" => "0/5.40\n".to_owned(),
            "BUILD_TIME" => "1795387634\n".to_owned(),
            "PROVIDES" => "x86_64: libperl.so.5.40\n".to_owned(),
            _ => String::new(),
        });
        let whole = whole.unwrap();
        assert_eq!(
            (whole.slot.sub.as_str(), whole.built, whole.provides.len()),
            ("5.40", Some(1_795_387_634), 1)
        );
        assert_eq!(whole.atom(), "dev-lang/perl:0");
        assert_eq!(Installed::read(cpv(), |_| String::new()), None);
    }
}
