//! `gbsup verify`: whether what is offered can be trusted.

use std::path::Path;

use super::logs::volume;
use super::socket::Supervisor;
use super::{Error, json, print};
use crate::binhost::verify;
use crate::cli::Exit;
use crate::render;

pub(super) fn run(supervisor: &Supervisor, all: bool, as_json: bool) -> Result<Exit, Error> {
    let volume = volume(supervisor).0;
    let pkgdir = volume.join("binpkgs");
    let mut known = verify::known(&volume);
    let verified = verify::verify(&pkgdir, all, &mut known).map_err(|error| no_index(&pkgdir, &error))?;
    verify::keep(&volume, &known);
    print(if as_json { json(&verified)? } else { render::verified(&verified, &pkgdir) })?;
    Ok(if verified.findings.is_empty() { Exit::Done } else { Exit::Findings })
}

pub(super) fn no_index(pkgdir: &Path, error: &std::io::Error) -> Error {
    Error::Failed(format!("the package index {} cannot be read: {error}", pkgdir.join("Packages").display()))
}
