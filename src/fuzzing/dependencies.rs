//! RDEPEND and the like, LICENSE, and the groups of licences.
use crate::portage::files::vdb;
use crate::portage::names::{depend, licence};

/// Reads it.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (one, two) = text.split_once('\n').unwrap_or((text, ""));
    if let Ok(needs) = depend::parse(one, |flag| flag.len() % 2 == 0) {
        for need in &needs {
            need.for_each(&mut |atom| drop(atom.to_string()));
            need.missing(&|atom| atom.cp().len() % 2 == 0);
        }
    }
    let mut groups = licence::Groups::default();
    groups.read(two);
    let free = groups.licences(licence::REDISTRIBUTABLE);
    let _ = licence::forbids(one, two, &["a", "b"].into(), &free);
    let _ = vdb::bound(text);
    let _ = vdb::plain(text);
}
