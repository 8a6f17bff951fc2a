//! `gbsup plan` and `gbsup why`: read from the volume, with or without a supervisor, or asked of Portage
//! itself.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

use super::socket::Supervisor;
use super::{Error, json, print, sentence, terminal};
use crate::cli::{Exit, PlanArgs};
use crate::config;
use crate::core::eta::Estimates;
use crate::core::failure::Failure;
use crate::core::major::Stale;
use crate::core::state::{CyclePlan, Durable};
use crate::core::status::Eta;
use crate::emerge_log;
use crate::portage::plan::{Plan, Planned, Totals};
use crate::render;
use crate::supervisor::build_options;
use crate::supervisor::rehearse::rehearse;
use crate::supervisor::store;

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
    }
}

/// How long things take here, by the log on this volume.
fn estimates(volume: &Path) -> Estimates {
    // Without a configuration that can be used there is no builder either.
    let config = config::load().unwrap_or_default();
    Estimates::new(&emerge_log::durations(volume), build_options(&config, &[]).jobs)
}

/// What the newest cycle set out to merge.
pub(super) fn plan(supervisor: &Supervisor, args: PlanArgs) -> Result<Exit, Error> {
    if args.now {
        return now(supervisor, args.json);
    }
    let volume = supervisor.volume().0;
    let made = read(&volume)?;
    let estimates = estimates(&volume);
    if args.json {
        return print(json(&shown(&made, &made.plan, &estimates))?);
    }
    print(render::plan_of(&made, &estimates, Timestamp::now(), terminal::look()))
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
    print(if as_json {
        json(&Shown { circle: rehearsal.circle.as_deref(), ..shown(plan, plan, &estimates) })?
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

/// Why a package is in the plan, or was merged again after the build.
pub(super) fn why(supervisor: &Supervisor, name: &str, as_json: bool) -> Result<Exit, Error> {
    let volume = supervisor.volume().0;
    let made = read(&volume)?;
    let packages: Vec<_> = made.plan.named(name).collect();
    if packages.is_empty() {
        let stale = stale(&volume, name);
        if !stale.is_empty() {
            return print(if as_json { json(&stale)? } else { render::stale(&stale, terminal::look()) });
        }
        let sentence = format!("{name} is not in the plan of cycle {}; see: gbsup plan", made.cycle);
        return Err(Error::Failed(sentence));
    }
    print(if as_json { json(&packages)? } else { render::why(&packages, terminal::look()) })
}

/// What of that name the rebuild step of the newest cycle merged again. Without a state there is none.
fn stale(volume: &Path, name: &str) -> Vec<Stale> {
    let text = std::fs::read(store::state_file(volume)).unwrap_or_default();
    let cycle = serde_json::from_slice::<Durable>(&text).ok().and_then(|durable| durable.cycle);
    let stale = cycle.map(|cycle| cycle.stale).unwrap_or_default();
    stale.into_iter().filter(|stale| stale.package.is_called(name)).collect()
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
