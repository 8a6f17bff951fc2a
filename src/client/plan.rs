//! `gbsup plan` and `gbsup why`: read from the volume, with or without a supervisor, or asked of Portage
//! itself.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

use super::answer::{json, print, sentence};
use super::error::Error;
use super::socket::Supervisor;
use super::terminal;
use crate::cli::{Exit, PlanArgs};
use crate::host::build;
use crate::host::rehearse::rehearse;
use crate::model::duration::Eta;
use crate::model::estimates::Estimates;
use crate::model::failure::Failure;
use crate::model::rebuilds::Stale;
use crate::model::state::{CyclePlan, Durable};
use crate::model::status::Status;
use crate::portage::names::cpv::Cpv;
use crate::portage::output::plan::{Plan, Planned, Totals};
use crate::volume::{emerge_log, store};
use crate::{config, render};

/// A plan as `gbsup plan --json` has it.
#[derive(Serialize)]
struct Shown<'a, P> {
    #[serde(flatten)]
    plan: &'a P,
    totals: Totals,
    /// Seconds that each package takes, as far as that is known.
    estimates: BTreeMap<&'a str, u64>,
    eta: Option<Eta>,
    /// A circular dependency that the builder would break by itself; no plan is known then.
    #[serde(skip_serializing_if = "Option::is_none")]
    circle: Option<&'a str>,
    /// What a person should know of the configuration.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    told: &'a [String],
}

fn shown<'a, P>(whole: &'a P, plan: &'a Plan, estimates: &Estimates) -> Shown<'a, P> {
    let estimate = |planned: &'a Planned| {
        Some((planned.cpv.as_str(), estimates.of(&planned.cpv, planned.binary)?.likely))
    };
    Shown {
        plan: whole,
        totals: plan.totals(),
        estimates: plan.packages.iter().filter_map(estimate).collect(),
        eta: estimates.of_plan(plan),
        circle: None,
        told: &[],
    }
}

/// How long things take here, by the log on this volume.
fn estimates(volume: &Path) -> Estimates {
    // Without a configuration that can be used there is no builder either.
    let config = config::load().unwrap_or_default();
    Estimates::new(&emerge_log::durations(volume), build::options(&config, &[]).jobs)
}

/// What the newest cycle set out to merge.
pub(super) fn plan(supervisor: &Supervisor, args: PlanArgs) -> Result<Exit, Error> {
    if args.now {
        return now(supervisor, args.json);
    }
    let (volume, status) = supervisor.volume();
    let volume = volume.as_path();
    let made = read(volume)?;
    let estimates = estimates(volume);
    let of_it = |status: &Status| status.cycle.as_ref().is_some_and(|cycle| cycle.id == made.cycle);
    let progress =
        status.filter(of_it).map(|status| status.progress).filter(|progress| progress.eta.is_some());
    if args.json {
        return print(json(&shown(&made, &made.plan, &estimates))?);
    }
    print(render::plan_of(&made, &estimates, progress, Timestamp::now(), terminal::look()))
}

/// What Portage says here and now. Fails with what the resolver says, and, with an exit code of its own,
/// when it would go on without something that is wanted.
fn now(supervisor: &Supervisor, as_json: bool) -> Result<Exit, Error> {
    let rehearsal = match rehearse(&config::load()?) {
        Ok(rehearsal) => rehearsal,
        Err(failures) => {
            let shown =
                if as_json { json(&failures)? } else { render::failures(&failures, &[], terminal::look()) };
            print(shown)?;
            return Err(Error::Failed(failures.first().map(Failure::headline).unwrap_or_default()));
        }
    };
    let plan: &Plan = &rehearsal.plan;
    let estimates = estimates(&supervisor.volume().0);
    if !as_json {
        for sentence in &rehearsal.told {
            let _ = writeln!(io::stderr(), "note: {}", render::clean(sentence));
        }
    }
    print(if as_json {
        json(&Shown {
            told: &rehearsal.told,
            circle: rehearsal.circle.as_deref(),
            ..shown(plan, plan, &estimates)
        })?
    } else if let Some(circle) = &rehearsal.circle {
        sentence(circle)
    } else {
        render::plan(plan, &estimates, terminal::look())
    })?;
    if rehearsal.passed_over.is_empty() {
        return Ok(Exit::Done);
    }
    Err(Error::Findings(rehearsal.passed_over.join("\n")))
}

/// Why a package is in the plan, was merged again after the build, or is in neither: all there is to say of it.
pub(super) fn why(supervisor: &Supervisor, name: &str, as_json: bool) -> Result<Exit, Error> {
    let volume = supervisor.volume().0;
    let durable = durable(&volume);
    let cycle = durable.as_ref().and_then(|durable| durable.cycle.as_ref());
    let made = read(&volume)?;
    let planned: Vec<_> = made.plan.named(name).collect();
    let stale: Vec<Stale> = cycle.map(|cycle| cycle.stale.clone()).unwrap_or_default();
    let stale: Vec<Stale> = stale.into_iter().filter(|stale| stale.package.is_called(name)).collect();
    let left_out = durable.as_ref().map(|durable| left_out(durable, name)).unwrap_or_default();
    if planned.is_empty() && stale.is_empty() && left_out.is_empty() {
        let sentence = format!("{name} is not in the plan of cycle {}; see: gbsup plan", made.cycle);
        return Err(Error::Failed(sentence));
    }
    if as_json {
        let planned = planned.iter().map(|planned| Known::Planned(planned));
        let stale = stale.iter().map(Known::Stale);
        let left_out = left_out.iter().map(|(package, why)| Known::LeftOut { package, left_out: why });
        return print(json(&planned.chain(stale).chain(left_out).collect::<Vec<_>>())?);
    }
    let look = terminal::look();
    let mut pages = Vec::new();
    pages.extend((!planned.is_empty()).then(|| render::why(&planned, look)));
    pages.extend((!stale.is_empty()).then(|| render::stale(&stale, look)));
    pages.extend((!left_out.is_empty()).then(|| render::left_out(&left_out, look)));
    print(pages.join("\n"))
}

/// One of the answers of `gbsup why --json`.
#[derive(Serialize)]
#[serde(untagged)]
enum Known<'a> {
    Planned(&'a Planned),
    Stale(&'a Stale),
    LeftOut { package: &'a str, left_out: &'a str },
}

/// Why packages of this name are not built, with what is known of each.
fn left_out(durable: &Durable, name: &str) -> Vec<(String, String)> {
    let called =
        |package: &str| Cpv::parse(package.as_bytes()).is_some_and(|package| package.is_called(name));
    let known = durable.known.iter().filter(|past| past.package.is_called(name)).map(|past| {
        let since = past.since.strftime("%Y-%m-%d");
        let why = format!("has failed since {since} ({}), and is left out: gbsup failures", past.class);
        (past.package.to_string(), why)
    });
    let skips = durable.skips.iter().filter(|skip| skip.version.is_called(name) || skip.package == name);
    let skips = skips.map(|skip| {
        let why = format!("is skipped until another version than {} is offered", skip.version.version());
        (skip.package.clone(), why)
    });
    let cycle = durable.cycle.as_ref();
    let asked = cycle.into_iter().flat_map(|cycle| &cycle.exclude).filter(|atom| {
        atom.as_str() == name || atom.rsplit('/').next().and_then(|pn| pn.split(':').next()) == Some(name)
    });
    let asked = asked.map(|atom| (atom.clone(), "is left out for this cycle, as somebody asked".to_owned()));
    let held = cycle.into_iter().flat_map(|cycle| &cycle.held).filter_map(|sentence| {
        let (package, _) = sentence.split_once(' ')?;
        called(package).then(|| (package.to_owned(), format!("is held back from clients: {sentence}")))
    });
    known.chain(skips).chain(asked).chain(held).collect()
}

/// What the builder decides by. Without a state there is none.
fn durable(volume: &Path) -> Option<Durable> {
    serde_json::from_slice(&std::fs::read(store::state_file(volume)).ok()?).ok()
}

fn read(volume: &Path) -> Result<CyclePlan, Error> {
    let file = store::plan_file(volume);
    let text = std::fs::read(&file).map_err(|error| {
        Error::Failed(match error.kind() {
            io::ErrorKind::NotFound => format!("nothing is planned yet: {} is not there", file.display()),
            _ => format!("{}: cannot be read: {error}", file.display()),
        })
    })?;
    serde_json::from_slice(&text)
        .map_err(|error| Error::Failed(format!("{}: is damaged: {error}", file.display())))
}
