//! `gbsup audit`: what clients can be offered. No supervisor is needed.

use serde::Serialize;

use super::answer::{json, print, tell};
use super::error::Error;
use super::socket::Supervisor;
use super::verify::{no_index, trust};
use crate::binhost::offer;
use crate::cli::Exit;
use crate::decide::audit::{Fate, Fates, Linked};
use crate::host::installed;
use crate::model::offer::{Broken, Held};
use crate::portage::names::cpv::Cpv;
use crate::{config, render, volume};

/// What `gbsup audit --json` says.
#[derive(Serialize)]
struct Answer<'a> {
    /// The sum of `counts`.
    packages: usize,
    offered: usize,
    counts: Fates,
    fates: Vec<One<'a>>,
    held: &'a [Held],
    broken: &'a [Broken],
    linked: &'a [Linked],
}

/// What becomes of one binary package.
#[derive(Serialize)]
struct One<'a> {
    cpv: &'a Cpv,
    path: String,
    fate: Fate,
}

pub(super) fn run(supervisor: &Supervisor, as_json: bool) -> Result<Exit, Error> {
    let provided = installed::provided(&config::load()?.publish.provided);
    let volume = supervisor.volume().0;
    let pkgdir = volume::pkgdir(&volume);
    let audited = offer::audit(&volume, &pkgdir, &installed::packages(), &provided, &[], &trust(), None)
        .map_err(|problem| no_index(&pkgdir, &problem))?;
    let counts = Fates::of(&audited.fates, &audited.index);
    let (held, broken) = (audited.offer.held.as_slice(), audited.broken.as_slice());
    let linked = audited.linked.as_slice();
    if as_json {
        let each = audited.index.packages.iter().zip(&audited.fates);
        let fates = each.map(|(one, fate)| One { cpv: &one.cpv, path: one.file().path, fate: *fate });
        let (packages, offered, fates) = (counts.total(), counts.offered, fates.collect());
        print(json(&Answer { packages, offered, counts, fates, held, broken, linked })?)?;
    } else {
        tell(render::audited(counts, held, broken, linked))?;
    }
    Ok(if held.is_empty() && broken.is_empty() { Exit::Done } else { Exit::Findings })
}
