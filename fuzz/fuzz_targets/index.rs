//! The index of binary packages.
#![no_main]

use libfuzzer_sys::fuzz_target;

use gbsup::portage::files::index::{self, Index};

fuzz_target!(|data: &[u8]| {
    drop(index::whole(data));
    let index = Index::parse(data);
    for package in &index.packages {
        drop((package.file(), package.slot(), package.flags().count(), package.built(), package.build_id()));
    }
    let again = Index::parse(index.to_string().as_bytes());
    assert_eq!(again.packages.len(), index.packages.len());
});
