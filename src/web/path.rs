//! What the path of a request means. Pure, and strict: what is not the plain name of something below a release is
//! refused before the file system sees it.

use percent_encoding::percent_decode_str;

use crate::model::release::Id;

/// Bytes of the longest path that is looked at, as it comes; the longest of Gentoo has some 150.
const LONGEST: usize = 1024;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// `/healthz`
    Health,
    /// `/client.sh`, `/NAME/client.sh`: what a client runs; by the name it finds the packages at `/NAME/binpkgs/`.
    Client(Option<String>),
    /// `/binpkgs/gbsup.asc`: the key that packages are signed with.
    Key,
    /// `/binpkgs/...`: something of the release that is offered.
    Current(Place),
    /// `/distfiles/NAME`: a source archive, or what says where they lie.
    Source(String),
    /// `/tree/NAME.git/...`: something of an ebuild repository, as a path below the releases.
    Tree(String),
    /// `/releases/ID/...`: something of this one.
    Fixed(Id, Place),
    /// The same with a slash behind it.
    Slash,
}

/// Below a release: names that are joined by single slashes; nothing for its own directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// Neither does it begin with a slash nor end with one, and no name in it begins with a dot.
    pub(super) path: String,
    /// It was asked for as a directory.
    pub(super) slash: bool,
}

impl Place {
    /// Whether a file of this name is a package, which clients may ask for after it has left the release that is
    /// offered.
    pub(super) fn is_package(&self) -> bool {
        let packed = [".gpkg.tar", ".xpak", ".tbz2"];
        !self.slash && packed.iter().any(|end| self.path.ends_with(end))
    }
}

/// Why a path means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// No file has such a name here.
    NotFound,
    /// It is no path at all, or one that leads elsewhere.
    Malformed,
    /// It is longer than any.
    TooLong,
}

/// Reads the path of a request, without its query.
pub(super) fn read(path: &str) -> Result<Target, Refused> {
    if path.len() > LONGEST {
        return Err(Refused::TooLong);
    }
    let rest = path.strip_prefix('/').ok_or(Refused::Malformed)?;
    match rest {
        "client.sh" => return Ok(Target::Client(None)),
        "healthz" => return Ok(Target::Health),
        "binpkgs" => return Ok(Target::Slash),
        "binpkgs/gbsup.asc" => return Ok(Target::Key),
        _ => {}
    }
    let (top, below) = rest.split_once('/').ok_or(Refused::NotFound)?;
    match top {
        "binpkgs" => Ok(Target::Current(place(below)?)),
        "distfiles" => match place(below)? {
            Place { path, slash: false } if !path.contains('/') => Ok(Target::Source(path)),
            _ => Err(Refused::NotFound),
        },
        "tree" => Ok(Target::Tree(format!("tree/{}", repository(below)?))),
        "releases" => match below.split_once('/') {
            Some((id, below)) => Ok(Target::Fixed(id.parse().map_err(|_| Refused::NotFound)?, place(below)?)),
            None if below.parse::<Id>().is_ok() => Ok(Target::Slash),
            None => Err(Refused::NotFound),
        },
        // By any name the same: clients know builders by host and path and not by port.
        top if is_plain(top) && below == "client.sh" => Ok(Target::Client(Some(top.to_owned()))),
        top if is_plain(top)
            && (below == "binpkgs"
                || ["binpkgs/", "tree/", "distfiles/"].iter().any(|at| below.starts_with(at))) =>
        {
            read(&format!("/{below}"))
        }
        _ => Err(Refused::NotFound),
    }
}

/// Reads the path of something that is no file of a release, without what it is below.
pub(super) fn below(text: &str) -> Result<Place, Refused> {
    if text.len() > LONGEST { Err(Refused::TooLong) } else { place(text) }
}

/// Whether a text may stand before `/binpkgs/`, and so in what root runs on a client.
fn is_plain(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    name.len() <= 64 && name.bytes().all(plain) && name.starts_with(|c: char| c.is_ascii_alphanumeric())
}

/// A file of a git repository. Its directories are shown to nobody: git asks for what it knows.
fn repository(text: &str) -> Result<String, Refused> {
    let Place { path, slash } = place(text)?;
    let is_one = path.split_once('/').is_some_and(|(name, _)| name.strip_suffix(".git").is_some());
    if is_one && !slash { Ok(path) } else { Err(Refused::NotFound) }
}

fn place(text: &str) -> Result<Place, Refused> {
    if text.is_empty() {
        return Ok(Place { path: String::new(), slash: true });
    }
    let (text, slash) = text.strip_suffix('/').map_or((text, false), |text| (text, true));
    // Taken apart before it is decoded, so that a coded slash separates nothing.
    let names = text.split('/').map(name).collect::<Result<Vec<_>, _>>()?;
    Ok(Place { path: names.join("/"), slash })
}

/// One name, decoded once: what is a code then was coded twice, and is refused.
fn name(text: &str) -> Result<String, Refused> {
    let name = percent_decode_str(text).decode_utf8().map_err(|_| Refused::Malformed)?;
    if name == "." || name == ".." || name.contains(['/', '\\', '%']) || name.contains(char::is_control) {
        return Err(Refused::Malformed);
    }
    // A release that is being made has such a name, and so has what Portage is not done with.
    if name.is_empty() || name.starts_with('.') || name.len() > 255 {
        return Err(Refused::NotFound);
    }
    Ok(name.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(path: &str, slash: bool) -> Place {
        Place { path: path.into(), slash }
    }

    #[test]
    fn paths_mean_what_they_say() {
        let id: Id = "2026-11-22.1".parse().unwrap();
        let current = |path, slash| Ok(Target::Current(place(path, slash)));
        let fixed = |path, slash| Ok(Target::Fixed(id, place(path, slash)));
        for (path, target) in [
            ("/healthz", Ok(Target::Health)),
            ("/client.sh", Ok(Target::Client(None))),
            ("/laptop-2.x/client.sh", Ok(Target::Client(Some("laptop-2.x".into())))),
            ("/distfiles/layout.conf", Ok(Target::Source("layout.conf".into()))),
            ("/distfiles/a%2B1.tar.gz", Ok(Target::Source("a+1.tar.gz".into()))),
            ("/distfiles/", Err(Refused::NotFound)),
            ("/distfiles", Err(Refused::NotFound)),
            ("/distfiles/a/b", Err(Refused::NotFound)),
            ("/distfiles/.a.portage_lockfile", Err(Refused::NotFound)),
            ("/distfiles/..%2Fsecret", Err(Refused::Malformed)),
            ("/laptop/binpkgs", Ok(Target::Slash)),
            ("/laptop/binpkgs/Packages", current("Packages", false)),
            ("/laptop/binpkgs/gbsup.asc", Ok(Target::Key)),
            ("/binpkgs", Ok(Target::Slash)),
            ("/binpkgs/", current("", true)),
            ("/binpkgs/Packages", current("Packages", false)),
            ("/binpkgs/gbsup.asc", Ok(Target::Key)),
            ("/binpkgs/x11-libs/gtk%2B/", current("x11-libs/gtk+", true)),
            ("/binpkgs/x11-libs/gtk+/gtk+-2-1.gpkg.tar", current("x11-libs/gtk+/gtk+-2-1.gpkg.tar", false)),
            ("/tree/own.git/info/refs", Ok(Target::Tree("tree/own.git/info/refs".into()))),
            ("/laptop/tree/own.git/HEAD", Ok(Target::Tree("tree/own.git/HEAD".into()))),
            ("/releases/2026-11-22.1", Ok(Target::Slash)),
            ("/releases/2026-11-22.1/", fixed("", true)),
            ("/releases/2026-11-22.1/a/b", fixed("a/b", false)),
        ] {
            assert_eq!(read(path), target, "{path}");
        }
    }

    #[test]
    fn what_leads_elsewhere_is_refused() {
        use Refused::{Malformed, NotFound, TooLong};
        let long = format!("/binpkgs/{}", "a/".repeat(1024));
        let wide = format!("/binpkgs/{}", "a".repeat(256));
        for (path, refused) in [
            ("", Malformed),
            ("*", Malformed),
            ("binpkgs/", Malformed),
            ("/etc/passwd", NotFound),
            ("//etc/passwd", NotFound),
            ("/binpkgs//", NotFound),
            ("/binpkgs//etc/passwd", NotFound),
            ("/binpkgs/a//b", NotFound),
            ("/binpkgs/..", Malformed),
            ("/binpkgs/../state/state.json", Malformed),
            ("/binpkgs/a/../../x", Malformed),
            ("/binpkgs/%2e%2e/x", Malformed),
            ("/binpkgs/%2E./x", Malformed),
            ("/binpkgs/%252e%252e/x", Malformed),
            ("/binpkgs/..%2f..%2fx", Malformed),
            ("/binpkgs/%2fetc%2fpasswd", Malformed),
            ("/binpkgs/a%5cb", Malformed),
            ("/binpkgs/..\\..\\x", Malformed),
            ("/binpkgs/Packages%00.gz", Malformed),
            ("/binpkgs/a%0d%0ab", Malformed),
            ("/binpkgs/%ff%fe", Malformed),
            ("/binpkgs/a%", Malformed),
            ("/binpkgs/./Packages", Malformed),
            ("/binpkgs/.Packages.portage_lockfile", NotFound),
            ("/releases/.new-2026-11-22.2/Packages", NotFound),
            ("/releases/current/Packages", NotFound),
            ("/tree", NotFound),
            ("/tree/", NotFound),
            ("/tree/own.git", NotFound),
            ("/tree/own.git/", NotFound),
            ("/tree/own.git/objects/", NotFound),
            ("/tree/own/HEAD", NotFound),
            ("/tree/own.git/../../state/state.json", Malformed),
            ("/tree/own.git/objects/pack/.new", NotFound),
            ("/releases/2026-11-22.01/Packages", NotFound),
            ("/releases/..", NotFound),
            ("/releases/%2e%2e/x", NotFound),
            (&wide, NotFound),
            (&long, TooLong),
        ] {
            assert_eq!(read(path), Err(refused), "{path}");
        }
    }

    #[test]
    fn only_packages_are_looked_for_elsewhere() {
        for (path, is) in [
            ("a/b/b-1-1.gpkg.tar", true),
            ("a/b/b-1-1.xpak", true),
            ("a/b-1.tbz2", true),
            ("Packages", false),
            ("Packages.gz", false),
        ] {
            assert_eq!(place(path, false).is_package(), is, "{path}");
        }
    }
}
