//! `gbsup fingerprint`: what decides whether this builder's packages fit a client.

use super::answer::{json, print};
use super::error::Error;
use super::socket::Supervisor;
use super::terminal;
use crate::binhost::release::Releases;
use crate::cli::Exit;
use crate::host::fingerprint::gather;
use crate::model::fingerprint::Fingerprint;
use crate::{config, render};

pub(super) fn run(supervisor: &Supervisor, as_json: bool) -> Result<Exit, Error> {
    let config = config::load()?;
    let facts = gather(&config).ok_or_else(|| {
        Error::Failed("Portage does not tell what it is configured by; see: portageq envvar USE".into())
    })?;
    let releases = Releases::on(&supervisor.volume().0);
    let release = releases.current().and_then(|id| releases.read(id).ok());
    let kernel = release.as_ref().and_then(|release| release.kernel.as_ref());
    let fingerprint = Fingerprint::of(facts).demanding(kernel);
    print(if as_json { json(&fingerprint)? } else { render::fingerprint(&fingerprint, terminal::look()) })
}
