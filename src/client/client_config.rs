//! `gbsup client-config`: what a client is told, from the volume and the configuration.

use std::{fs, io};

use jiff::Timestamp;
use nix::unistd::gethostname;
use serde::Deserialize;

use super::answer::print;
use super::error::Error;
use crate::binhost::release::Releases;
use crate::binhost::signing;
use crate::cli::{ClientConfigArgs, Exit};
use crate::config::{self, Config, Publisher, SignKey};
use crate::render::client_config::{Key, Origin, Setup, Signing, script};

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
    let signing = match published(&Releases::on(&config.volume.path)).map_err(Error::Failed)? {
        Some(signing) => signing,
        None => to_be(&config).map_err(|error| Error::Failed(error.to_string()))?,
    };
    let (url, origin) = match args.url {
        Some(url) => (url, Origin::Typed),
        None if !config.http.url.is_empty() => (config.http.url, Origin::Configured),
        None => (guess(&config)?, Origin::Guessed),
    };
    print(script(&Setup { url, origin, signing }))
}

fn guess(config: &Config) -> Result<String, Error> {
    let port = config.http.listen.map_or(PORT, |address| address.port());
    let name = gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default();
    config::location(&format!("http://{name}:{port}"))
        .map_err(|_| Error::Usage(format!("the host name {name:?} does not make a URL; give one with --url")))
}

/// How the release that is offered is signed; nothing before there is one.
fn published(releases: &Releases) -> Result<Option<Signing>, String> {
    let Some(id) = releases.current() else { return Ok(None) };
    let path = releases.place(id).join("release.json");
    let unreadable = |path: &std::path::Path, error: io::Error| format!("{}: {error}", path.display());
    let text = fs::read(&path).map_err(|error| unreadable(&path, error))?;
    let read: Signed = serde_json::from_slice(&text)
        .map_err(|error| format!("{} cannot be understood: {error}", path.display()))?;
    let Some(fingerprint) = read.signed else { return Ok(Some(Signing::Unsigned)) };
    let path = releases.directory().join("gbsup.asc");
    let armor = fs::read_to_string(&path).map_err(|error| unreadable(&path, error))?;
    Ok(Some(Signing::By(Key { fingerprint, armor })))
}

/// How the first release will be signed, as far as that is known here: a builder without a key makes it now as it would then. A
/// publisher elsewhere has its key there.
fn to_be(config: &Config) -> Result<Signing, signing::Error> {
    let publish = &config.publish;
    if publish.sign_key == SignKey::Unsigned {
        return Ok(Signing::Unsigned);
    }
    if publish.by == Publisher::Separate {
        return Ok(Signing::Unknown);
    }
    let (signatory, _) = signing::open(config, Timestamp::now())?;
    Ok(signatory.map_or(Signing::Unknown, |signatory| {
        let armor = String::from_utf8_lossy(&signatory.public).into_owned();
        Signing::By(Key { fingerprint: signatory.fingerprint, armor })
    }))
}
