//! Binary packages: whether they are whole, what is in them, and signed copies of them.
use std::io::{self, Cursor};

use crate::portage::files::gpkg::sign::{self, Signer};
use crate::portage::files::gpkg::{self, image, signed};
use crate::portage::output::gpg::Doubt;

struct Nobody;

impl Signer for Nobody {
    type Detached = Vec<u8>;

    fn begin(&self) -> io::Result<Vec<u8>> {
        Ok(Vec::new())
    }

    fn finish(&self, _: Vec<u8>) -> io::Result<Vec<u8>> {
        Ok(b"signature".to_vec())
    }

    fn clear(&self, text: &str) -> io::Result<Vec<u8>> {
        Ok(text.as_bytes().to_vec())
    }
}

impl signed::Judge for Nobody {
    fn clear(&self, text: &str) -> Result<String, Doubt> {
        Ok(text.to_owned())
    }

    fn detached(&self, _: &[u8], data: &mut dyn io::Read) -> Result<(), Doubt> {
        let _ = io::copy(data, &mut io::sink());
        Ok(())
    }
}

/// Reads it.
pub fn run(data: &[u8]) {
    let size = data.len() as u64;
    let whole = gpkg::verify(data, size);
    let _ = gpkg::names(Cursor::new(data), size);
    let _ = signed::verify(Cursor::new(data), size, &Nobody, true);
    let _ = image::demand(data, size);
    let mut copy = Cursor::new(Vec::new());
    if whole.is_ok() {
        gpkg::check(Cursor::new(data), size).expect("what is whole has the right layout");
        if sign::sign(data, size, &mut copy, &Nobody, 0).is_ok() {
            let copy = copy.into_inner();
            gpkg::verify(&copy[..], copy.len() as u64).expect("a copy of what is whole is whole");
        }
    }
}
