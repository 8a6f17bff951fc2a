//! `gbsup verify`: whether what is offered can be trusted.

use std::path::Path;

use super::answer::{json, print, tell};
use super::error::Error;
use super::socket::Supervisor;
use crate::binhost::gpg::Ring;
use crate::binhost::release::{self, Releases};
use crate::binhost::trust::Trust;
use crate::binhost::verify;
use crate::cli::{Exit, VerifyArgs};
use crate::host::process::ask_here;
use crate::model::release::Id;
use crate::portage::command;
use crate::portage::files::settings::{self, Settings};
use crate::{config, render, volume};

pub(super) fn run(supervisor: &Supervisor, args: &VerifyArgs) -> Result<Exit, Error> {
    let volume = supervisor.volume().0;
    match args.release {
        Some(wanted) => of_release(&Releases::on(&volume), wanted, args),
        None => of_pkgdir(&volume, args.all, args.json),
    }
}

/// A release, which nobody repairs: another one takes its place.
fn of_release(releases: &Releases, wanted: Option<Id>, args: &VerifyArgs) -> Result<Exit, Error> {
    let id = wanted.or_else(|| releases.current()).ok_or(release::Error::Nothing)?;
    let release = releases.read(id)?;
    let ring = match (&args.keyring, &release.signed) {
        (Some(file), _) => Some(file.clone()),
        (None, Some(key)) => Some(releases.public_key(key)),
        (None, None) => None,
    };
    let ring = ring.map(|file| Ring::of_file(&file)).transpose();
    let ring = ring.map_err(|error| Error::Failed(error.to_string()))?;
    let signed = ring.is_some();
    let verified = releases.verify(&release, &Trust::in_release(ring))?;
    if args.json {
        print(json(&verified)?)?;
    } else {
        tell(render::verified_release(&verified, id, signed))?;
    }
    Ok(if verified.findings.is_empty() { Exit::Done } else { Exit::Findings })
}

fn of_pkgdir(volume: &Path, all: bool, as_json: bool) -> Result<Exit, Error> {
    let pkgdir = volume::pkgdir(volume);
    let mut known = verify::known(volume);
    let verified = verify::verify(&pkgdir, all, &mut known, &trust());
    let verified = verified.map_err(|error| no_index(&pkgdir, &error))?;
    verify::keep(volume, &known);
    if as_json {
        print(json(&verified)?)?;
    } else {
        tell(render::verified(&verified, &pkgdir))?;
    }
    Ok(if verified.findings.is_empty() { Exit::Done } else { Exit::Findings })
}

/// Whose signatures count for the Portage of this container; where there is none, for one that is configured nowhere.
pub(super) fn trust() -> Trust {
    // A configuration that cannot be read names nothing more.
    let more = config::load().map(|config| config.build.environment).unwrap_or_default();
    let values = ask_here(&more, &command::envvar(&settings::keys())).unwrap_or_default();
    Trust::in_pkgdir(&Settings::parse(&values).signatures)
}

pub(super) fn no_index(pkgdir: &Path, error: &std::io::Error) -> Error {
    Error::Failed(format!("the package index {} cannot be read: {error}", pkgdir.join("Packages").display()))
}
