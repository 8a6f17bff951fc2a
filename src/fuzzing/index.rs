//! The index of binary packages.
use crate::portage::files::index::{self, Index};

/// Reads it.
pub fn run(data: &[u8]) {
    let _ = index::whole(data);
    let index = Index::parse(data);
    for package in &index.packages {
        let _ =
            (package.file(), package.slot(), package.flags().count(), package.built(), package.build_id());
    }
    let again = Index::parse(index.to_string().as_bytes());
    assert_eq!(again.packages.len(), index.packages.len());
}
