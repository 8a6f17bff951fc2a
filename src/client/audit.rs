//! `gbsup audit`: what clients can be offered. No supervisor is needed.

use serde::Serialize;

use super::socket::Supervisor;
use super::verify::{no_index, trust};
use super::{Error, json, print};
use crate::binhost::offer;
use crate::cli::Exit;
use crate::config;
use crate::core::audit::{Broken, Linked};
use crate::core::offer::Held;
use crate::render;
use crate::supervisor::installed;
use crate::volume;

/// What `gbsup audit --json` says.
#[derive(Serialize)]
struct Answer<'a> {
    packages: usize,
    offered: usize,
    held: &'a [Held],
    broken: &'a [Broken],
    linked: &'a [Linked],
}

pub(super) fn run(supervisor: &Supervisor, as_json: bool) -> Result<Exit, Error> {
    let provided = installed::provided(&config::load()?.publish.provided);
    let volume = supervisor.volume().0;
    let pkgdir = volume::pkgdir(&volume);
    let audited = offer::audit(&volume, &pkgdir, &installed::packages(), &provided, &trust(), None)
        .map_err(|problem| no_index(&pkgdir, &problem))?;
    let (packages, offered) = (audited.index.packages.len(), audited.offered.len());
    let (held, broken) = (audited.offer.held.as_slice(), audited.broken.as_slice());
    let linked = audited.linked.as_slice();
    if as_json {
        print(json(&Answer { packages, offered, held, broken, linked })?)?;
    } else {
        print(render::audited(packages, offered, held, broken, linked))?;
    }
    Ok(if held.is_empty() && broken.is_empty() { Exit::Done } else { Exit::Findings })
}
