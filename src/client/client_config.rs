//! `gbsup client-config`: what a client is told, from the volume and the configuration.

use std::{fs, io};

use nix::unistd::gethostname;
use serde::Deserialize;

use super::answer::print;
use super::error::Error;
use crate::binhost::release::Releases;
use crate::cli::{ClientConfigArgs, Exit};
use crate::config::{self, Config};
use crate::render::client_config::{Key, Origin, Setup, script};

/// The port of the server where the configuration names none.
const PORT: u16 = 8080;

/// What of a release says whether it is signed.
#[derive(Deserialize)]
struct Signed {
    /// The fingerprint of the key.
    #[serde(default)]
    signed: Option<String>,
}

pub(super) fn run(args: ClientConfigArgs) -> Result<Exit, Error> {
    let config = config::load()?;
    let key = key(&Releases::on(&config.volume.path)).map_err(Error::Failed)?;
    let (url, origin) = match args.url {
        Some(url) => (url, Origin::Typed),
        None if !config.http.url.is_empty() => (config.http.url, Origin::Configured),
        None => (guess(&config)?, Origin::Guessed),
    };
    print(script(&Setup { url, origin, key }))
}

fn guess(config: &Config) -> Result<String, Error> {
    let port = config.http.listen.map_or(PORT, |address| address.port());
    let name = gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default();
    config::location(&format!("http://{name}:{port}"))
        .map_err(|_| Error::Usage(format!("the host name {name:?} makes no URL; name one with --url")))
}

/// The key of the release that is offered; nothing when it is not signed.
fn key(releases: &Releases) -> Result<Option<Key>, String> {
    let Some(id) = releases.current() else {
        return Err("nothing is published yet; the first release says whether packages are signed".into());
    };
    let path = releases.place(id).join("release.json");
    let unreadable = |path: &std::path::Path, error: io::Error| format!("{}: {error}", path.display());
    let text = fs::read(&path).map_err(|error| unreadable(&path, error))?;
    let read: Signed = serde_json::from_slice(&text)
        .map_err(|error| format!("{} cannot be understood: {error}", path.display()))?;
    let Some(fingerprint) = read.signed else { return Ok(None) };
    let path = releases.directory().join("gbsup.asc");
    let armor = fs::read_to_string(&path).map_err(|error| unreadable(&path, error))?;
    Ok(Some(Key { fingerprint, armor }))
}
