//! `gbsup key`: the key that releases are signed with. No supervisor is needed.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use jiff::Timestamp;
use nix::sys::statfs::{OVERLAYFS_SUPER_MAGIC, statfs};
use serde::Serialize;

use super::answer::{json, print};
use super::error::Error;
use crate::binhost;
use crate::binhost::gpg::{self, Gpg};
use crate::cli::{Exit, KeyVerb};
use crate::config::{self, Config};
use crate::decide::signing;
use crate::portage::output::gpg::Key;
use crate::render::{self, client_config};

/// What `gbsup key show --json` says.
#[derive(Serialize)]
struct Answer<'a> {
    home: String,
    keys: &'a [Key],
    /// The one that releases are signed with.
    signs: Option<&'a str>,
    /// What is wrong, or will be.
    problem: Option<&'a str>,
}

pub(super) fn run(verb: KeyVerb) -> Result<Exit, Error> {
    let config = config::load()?;
    match verb {
        KeyVerb::Init { name, expire } => {
            let home = &config.publish.gpg_home;
            if home.starts_with(&config.volume.path) {
                return Err(Error::Usage(format!(
                    "publish.gpg_home is {}, which is on the volume that clients are served from",
                    home.display()
                )));
            }
            if dies_with_the_container(home) {
                let home = home.display();
                return Err(Error::Failed(format!(
                    "a key in {home} would die with this container, and clients would refuse whatever comes after it. Mount a volume \
                     there: docker run --rm -v gbsup-key:{home} IMAGE key init. Without one the builder makes a key on its own volume"
                )));
            }
            gpg::generate(home, &name, &expire).map_err(|error| failed(&error))?;
            show(&config, false)
        }
        KeyVerb::Show { json } => show(&config, json),
    }
}

/// Whether a directory would be in the layer of this container.
fn dies_with_the_container(home: &Path) -> bool {
    let nearest = home.ancestors().find_map(|path| fs::metadata(path).ok());
    let root = fs::metadata("/").ok();
    let is_layer = statfs("/").is_ok_and(|root| root.filesystem_type() == OVERLAYFS_SUPER_MAGIC);
    is_layer && nearest.zip(root).is_some_and(|(home, root)| home.dev() == root.dev())
}

fn show(config: &Config, as_json: bool) -> Result<Exit, Error> {
    let home = &binhost::signing::home(config);
    let name = home.display().to_string();
    let none = || Error::Failed(format!("there is no key in {name}; try: gbsup key init"));
    if !home.exists() {
        return Err(none());
    }
    let gpg = Gpg::with_secrets(home).map_err(|error| failed(&error))?;
    let keys = gpg.secret_keys().map_err(|error| failed(&error))?;
    if keys.is_empty() {
        return Err(none());
    }
    let (wanted, now) = (&config.publish.sign_key, Timestamp::now());
    let (chosen, problem) = match signing::choose(keys.clone(), wanted, &name, now) {
        Ok(key) => {
            let warning = signing::warning(key.as_ref(), wanted, &name, now);
            (key, warning)
        }
        Err(unusable) => (None, Some(unusable.to_string())),
    };
    let signs = chosen.as_ref().map(|key| key.fingerprint.as_str());
    let problem = problem.as_deref();
    print(if as_json {
        json(&Answer { home: name, keys: &keys, signs, problem })?
    } else {
        let signs = signs.map(|fingerprint| public(&gpg, fingerprint)).transpose()?;
        render::keys(&keys, signs.as_ref(), now)
    })?;
    problem.map_or(Ok(Exit::Done), |problem| Err(Error::Findings(problem.to_owned())))
}

fn public(gpg: &Gpg, fingerprint: &str) -> Result<client_config::Key, Error> {
    let armor = gpg.public(fingerprint).map_err(|error| failed(&error))?;
    let armor = String::from_utf8_lossy(&armor).into_owned();
    Ok(client_config::Key { fingerprint: fingerprint.to_owned(), armor })
}

fn failed(error: &gpg::Error) -> Error {
    Error::Failed(error.to_string())
}
