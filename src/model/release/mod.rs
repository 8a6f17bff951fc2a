//! A release: what clients are offered, exactly as it was published, and how two of them differ.
//!
//! It is a directory with an index of its own, and nothing in it is ever changed. `release.json` says what it is;
//! [`Release`] is that file.

mod diff;
mod id;
mod keep;
mod label;
mod listed;
mod shown;
mod trees;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::offer::{Held, Offer};
use crate::portage::files::elf::Kernel;
use crate::portage::files::gpkg::image::Demand;
use crate::portage::names::cpv::Cpv;
use crate::portage::output::glsa::Advisory;

pub use diff::{Change, Diff};
pub use id::{Id, NotAnId};
pub use keep::{Turn, retired};
pub use label::{Label, Labels};
pub use listed::{Listed, Told};
pub use shown::Shown;
pub use trees::{Snapshot, Tree};

/// What `release.json` holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// The version of this format, [`Release::SCHEMA`].
    pub schema: u32,
    /// Its name.
    pub id: Id,
    /// When it was made, in whole seconds: the `TIMESTAMP` of its index. Each release has a later one than all before
    /// it, since a client takes an index over only when it is newer than the one it has
    /// (`portage/dbapi/bintree.py:_populate_remote`).
    pub published: Timestamp,
    /// The release whose packages these are, when somebody rolled back to it.
    #[serde(default)]
    pub again: Option<Id>,
    /// The version of gbsup that made it.
    pub gbsup: String,
    /// How the packages came to be.
    #[serde(flatten)]
    pub origin: Origin,
    /// The fingerprint of the key that its packages are signed with; absent when they are not.
    #[serde(default)]
    pub signed: Option<String>,
    /// The packages, in the order of the index.
    pub packages: Vec<Entry>,
    /// What clients are not offered, and why.
    pub held: Vec<Held>,
    /// The security advisories that the release before was affected by, and this one is not.
    #[serde(default)]
    pub fixes: Vec<Advisory>,
    /// The highest kernel that any of the packages demands.
    #[serde(default)]
    pub kernel: Option<Demanding>,
    /// The index of the packages, plain and compressed.
    pub index: Vec<IndexFile>,
    /// The ebuild repositories as clients can sync them with this release, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub trees: BTreeMap<String, Tree>,
    /// Why the others cannot be synced, in words, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub withheld: BTreeMap<String, String>,
}

impl Release {
    /// The version of the format.
    pub const SCHEMA: u32 = 1;

    /// Bytes of all packages.
    pub(crate) fn size(&self) -> u64 {
        self.packages.iter().map(|package| package.size).sum()
    }

    /// Whether it offers the same packages, signed with the same key, and holds back the same, as one made of these
    /// would.
    pub(crate) fn offers(&self, packages: &[&Entry], held: &[Held], signed: Option<&str>) -> bool {
        let same =
            |ours: &Entry, theirs: &Entry| ours.path == theirs.path && ours.source() == theirs.source();
        self.packages.len() == packages.len()
            && self.packages.iter().zip(packages).all(|(ours, theirs)| same(ours, theirs))
            && self.held == held
            && self.signed.as_deref() == signed
    }

    /// Whether it is what became of an offer, signed or not.
    pub(crate) fn is_of(&self, offer: &Offer) -> bool {
        self.packages.len() == offer.packages.len()
            && self.held == offer.held
            && self.packages.iter().zip(&offer.packages).all(|(ours, offered)| {
                ours.path == offered.path && ours.source().eq_ignore_ascii_case(&offered.sha1)
            })
    }
}

/// A package of a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Which.
    pub cpv: Cpv,
    /// Its slot, without the sub-slot.
    pub slot: String,
    /// The number of its build, where it has one.
    pub build_id: Option<u64>,
    /// Its file below the release, the same as below PKGDIR.
    pub path: String,
    /// The size of the file in bytes.
    pub size: u64,
    /// Digests of the file, in hexadecimal digits.
    pub md5: String,
    /// See there.
    pub sha1: String,
    /// See there.
    pub sha512: String,
    /// The SHA1 of the file below PKGDIR that this is a signed copy of; absent when it is that file.
    #[serde(default)]
    pub unsigned: Option<String>,
    /// Why it was built, in words; absent when the builder does not know.
    #[serde(default)]
    pub why: Option<String>,
    /// The highest kernel that a file of it demands; absent when none does, and when nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<Demand>,
    /// Seconds that a build of it took here, in the middle of the last ones; absent when none is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
    /// Why it is not known which kernel it demands, in words: "its image is compressed in a way ...".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opaque: Option<String>,
    /// The flags by which it is other than the common build of this version, for clients that want it so: `-bar foo`; absent for that one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beside: Option<String>,
}

/// Packages that nobody can look into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opaque {
    /// The first of them.
    pub package: Cpv,
    /// Why.
    pub why: String,
    /// How many they are.
    pub count: usize,
}

impl Opaque {
    /// Those among these packages.
    pub(crate) fn of(packages: &[Entry]) -> Option<Self> {
        let mut opaque = packages.iter().filter_map(|package| Some((&package.cpv, package.opaque.as_ref()?)));
        let (package, why) = opaque.next()?;
        Some(Self { package: package.clone(), why: why.clone(), count: 1 + opaque.count() })
    }

    /// What is to be said of them.
    pub(crate) fn told(&self) -> String {
        let Self { package, why, count } = self;
        let others = match count - 1 {
            0 => String::new(),
            1 => ", nor what one other package demands".to_owned(),
            others => format!(", nor what {others} other packages demand"),
        };
        format!(
            "it is not known which kernel {package} demands: {why}{others}; packages that are built with BINPKG_FORMAT=gpkg and \
             BINPKG_COMPRESS=zstd are looked into"
        )
    }
}

/// The highest kernel that a release demands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Demanding {
    /// The package, the first of those that demand it.
    pub package: Cpv,
    /// What it demands.
    #[serde(flatten)]
    pub demand: Demand,
}

impl Demanding {
    /// That of these packages.
    pub(crate) fn of(packages: &[Entry]) -> Option<Self> {
        let mut highest: Option<Self> = None;
        for package in packages {
            if let Some(demand) = &package.kernel
                && highest.as_ref().is_none_or(|highest| highest.demand.kernel < demand.kernel)
            {
                highest = Some(Self { package: package.cpv.clone(), demand: demand.clone() });
            }
        }
        highest
    }

    /// What is to be said of it when it is above what clients run by `publish.client_kernel`, or above what this machine
    /// runs, whose builds may need it as well; nothing when both are new enough.
    pub(crate) fn too_new(&self, clients: Option<Kernel>, here: Option<Kernel>) -> Option<String> {
        let clients = clients.map(|kernel| (kernel, "publish.client_kernel"));
        let here = here.map(|kernel| (kernel, "this machine's"));
        let Self { package, demand: Demand { kernel: demanded, file } } = self;
        let too_old = clients.into_iter().chain(here).find(|(kernel, _)| demanded > kernel);
        too_old.map(|(kernel, whose)| {
            format!(
                "{file} of {package} demands Linux {demanded}, and {whose} is {kernel}: with a glibc before 2.36 it is \
                 not found there"
            )
        })
    }
}

impl Entry {
    /// The SHA1 of the file below PKGDIR.
    pub(crate) fn source(&self) -> &str {
        self.unsigned.as_deref().unwrap_or(&self.sha1)
    }
}

/// How the packages of a release came to be. On the volume as `state/origin.json`, since a publisher may work
/// where there is no Portage.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The cycle that was the last to change something; absent when a person asked.
    #[serde(default)]
    pub cycle: Option<u64>,
    /// The version of Portage.
    #[serde(default)]
    pub portage: Option<String>,
    /// The commits of the ebuild repositories, by their names.
    #[serde(default)]
    pub revisions: BTreeMap<String, String>,
    /// A digest (SHA256) of the configuration that reaches every build: `make.conf`, the profile, `bashrc` and
    /// the environments of packages.
    #[serde(default)]
    pub configuration: Option<String>,
    /// The security advisories that what was installed is affected by; absent when nobody looked.
    #[serde(default)]
    pub open: Option<Vec<Advisory>>,
}

/// A file of the index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexFile {
    /// `Packages` or `Packages.gz`.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// In hexadecimal digits.
    pub sha512: String,
}

/// The release that is offered, and how it came to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Current {
    /// Its name.
    pub id: Id,
    /// How many packages it has.
    pub packages: u64,
    /// When it was published.
    pub published: Timestamp,
    /// See [`Release::again`].
    pub again: Option<Id>,
}

impl From<&Release> for Current {
    fn from(release: &Release) -> Self {
        let packages = u64::try_from(release.packages.len()).unwrap_or(u64::MAX);
        Self { id: release.id, packages, published: release.published, again: release.again }
    }
}

/// What came of publishing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The release that is offered now.
    pub current: Current,
    /// It was made just now; otherwise it was there and offers the same already.
    pub new: bool,
    /// What changed, in a few words.
    pub changes: String,
    /// How many packages are held back.
    pub held: u64,
    /// The highest kernel that any package of it demands.
    pub kernel: Option<Demanding>,
    /// The packages of it that nobody can look into.
    pub opaque: Option<Opaque>,
    /// The kernel of this machine; absent when it does not say.
    pub running: Option<Kernel>,
    /// What went wrong with the ebuild repositories that are offered with it, in words.
    pub trees: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_package_that_demands_most_is_named() {
        let entry = |cpv: &str, kernel: Option<&str>| Entry {
            cpv: Cpv::parse(cpv.as_bytes()).unwrap(),
            slot: "0".into(),
            build_id: None,
            path: String::new(),
            size: 0,
            md5: String::new(),
            sha1: String::new(),
            sha512: String::new(),
            unsigned: None,
            why: None,
            kernel: kernel.map(|kernel| Demand { kernel: kernel.parse().unwrap(), file: "/lib/x.so".into() }),
            seconds: None,
            opaque: None,
            beside: None,
        };
        let packages = [
            entry("a/a-1", None),
            entry("a/b-1", Some("4.11")),
            entry("a/c-1", Some("6.2")),
            entry("a/d-1", Some("6.2")),
        ];
        assert_eq!(Demanding::of(&packages[..1]), None);
        let highest = Demanding::of(&packages).unwrap();
        assert_eq!(
            highest.too_new(None, "5.10.3".parse().ok()).unwrap(),
            "/lib/x.so of a/c-1 demands Linux 6.2.0, and this machine's is 5.10.3: with a glibc before 2.36 it is not found there"
        );
        let (old, new) = ("5.10.3".parse().ok(), "6.2".parse().ok());
        assert!(highest.too_new(old, new).unwrap().contains(", and publish.client_kernel is 5.10.3: "));
        assert!(highest.too_new(new, old).unwrap().contains(", and this machine's is 5.10.3: "));
        assert_eq!([highest.too_new(new, new), highest.too_new(None, None)], [None, None]);

        assert_eq!(Opaque::of(&packages), None);
        let mut packages = packages;
        for (at, told) in [
            (3, "it is not known which kernel a/d-1 demands: it is an xpak; packages that are"),
            (
                1,
                "it is not known which kernel a/b-1 demands: it is an xpak, nor what one other package demands; packages",
            ),
            (
                0,
                "it is not known which kernel a/a-1 demands: it is an xpak, nor what 2 other packages demand; packages",
            ),
        ] {
            packages[at].opaque = Some("it is an xpak".into());
            let opaque = Opaque::of(&packages).unwrap().told();
            assert!(opaque.starts_with(told), "{opaque}");
        }
    }
}
