//! Names, atoms and versions, as people and logs write them.
use crate::portage::files::binpkg;
use crate::portage::names::atom::{Atom, Provided};
use crate::portage::names::cpv::Cpv;
use crate::portage::names::exclude::{exclude_atom, excludes};
use crate::portage::names::version;

/// Reads it.
pub fn run(data: &[u8]) {
    let _ = Cpv::parse_built(data);
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (one, two) = text.split_once('\n').unwrap_or((text, text));
    let (a, b) = (Cpv::parse(one.as_bytes()), Cpv::parse(two.as_bytes()));
    if let (Some(a), Some(b)) = (&a, &b) {
        assert_eq!(
            version::compare(a.version(), b.version()),
            version::compare(b.version(), a.version()).reverse()
        );
        assert_eq!(Cpv::parse(a.as_str().as_bytes()), Some(a.clone()));
    }
    if let (Ok(atom), Some(b)) = (Atom::parse(one), &b) {
        assert_eq!(atom.to_string(), one);
        let _ = atom.means_build(b, ("0", "0"));
    }
    let _ = Provided::parse(one);
    let _ = exclude_atom(one);
    let _ = excludes(one, two, "0");
    let _ = binpkg::package_of(one.as_ref());
    let _ = binpkg::invalid(data);
}
