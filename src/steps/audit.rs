//! The audit step: what is broken is built anew, what is good is written down as what clients are offered; see
//! [`crate::decide::audit`].

use super::beside::{self, Outcome};
use super::quarantine;
use super::task::Task;
use super::trial::{self, trouble};
use crate::binhost::licence;
use crate::binhost::offer::{self, Audited};
use crate::binhost::trust::Trust;
use crate::config::Linked;
use crate::decide::audit::{outdated, to_rebuild};
use crate::host::{installed, unusable};
use crate::model::Report;
use crate::model::failure::{Class, Failure, Trouble};
use crate::model::offer::Broken;
use crate::model::verified::Kind;
use crate::model::work::Target;
use crate::portage::command::Binaries;
use crate::portage::files::repository;
use crate::portage::files::settings::Settings;

/// Builds what is to be built anew, then audits. An offer is written down when nothing more is to be built,
/// and Portage itself would install it.
pub(crate) fn run(
    task: &mut Task,
    rebuild: &[Broken],
    tried: &[Broken],
    failing: &[String],
    exclude: &[String],
) -> Result<Report, Trouble> {
    if let Some(interrupted) = mend(task, rebuild, exclude)? {
        return Ok(interrupted);
    }
    let settings = task.settings()?;
    if !task.is_offered(&settings) || !settings.pkgdir.join("Packages").exists() {
        return Ok(Report::Nothing);
    }
    let installed = installed::packages();
    let provided = installed::provided(&task.config.publish.provided);
    let trust = Trust::in_pkgdir(&settings.signatures);
    let cycle = Some(task.cycle);
    let wanted = beside::wanted(&task.config);
    let volume = task.volume.clone();
    let look = || {
        offer::audit(&volume, &settings.pkgdir, &installed, &provided, &wanted, &trust, cycle)
            .map_err(|problem| trouble("the package index cannot be read", &problem))
    };
    let mut audited = look()?;
    if task.config.rebuild.linked == Linked::Version {
        audited.broken.extend(outdated(&audited.linked, &installed));
    }
    task.warn("signatures", audited.unchecked.take());
    expired(task, &settings, &audited)?;
    let tried = [rebuild, tried].concat();
    // What may not be handed on is no trouble, and nothing that anybody has to know of each time.
    let held = audited.offer.held.clone();
    let is_final = to_rebuild(&audited.broken, &tried, failing).is_empty()
        && (audited.offer.held.is_empty() || task.config.publish.hold_back);
    if is_final {
        match beside::build(task, &settings, &audited.beside)? {
            Outcome::Nothing => {}
            Outcome::Interrupted(report) => return Ok(report),
            Outcome::Built => {
                audited = look()?;
                beside::judge(task, &audited.beside);
            }
        }
        if let Some(refused) = trial::run(task, &audited, &installed, &provided)? {
            return Ok(refused);
        }
        let besides = beside::offered(&audited);
        audited.offer.packages.extend(besides);
        if task.config.publish.redistributable_only {
            withhold(task, &mut audited)?;
        }
        offer::keep(&task.volume, &audited.offer)
            .map_err(|problem| trouble("what clients are offered cannot be written down", &problem))?;
        quarantine::audited(task, &settings, &audited)?;
    }
    let Audited { offer, broken, .. } = audited;
    Ok(Report::Audited { offered: offer.packages.len(), held, broken })
}

/// A key that has expired since the preflight makes nothing bad that it signed, and what is built anew would be signed by it
/// as well.
fn expired(task: &Task, settings: &Settings, audited: &Audited) -> Result<(), Trouble> {
    let of_key = audited.findings.iter().filter(|finding| finding.kind == Kind::Key);
    let refused = of_key.filter_map(|finding| {
        let path = settings.pkgdir.join(&finding.path);
        let reason = unusable::examine(&path, &finding.what, &settings.signatures).ok()?;
        Some((path, reason))
    });
    let refused: Vec<_> = refused.collect();
    unusable::failure(&refused, settings).map_or(Ok(()), |failure| Err(task.logged(failure)))
}

/// Leaves out of an offer what may not be handed on.
fn withhold(task: &mut Task, audited: &mut Audited) -> Result<(), Trouble> {
    let repositories = task.repos_config()?;
    let groups = licence::groups(&repository::locations(&repositories));
    licence::withhold(&mut audited.offer, &audited.index, &groups)
        .map_err(|problem| Failure::new(Class::Config, format!("nothing can be offered: {problem}")))?;
    Ok(())
}

/// Builds packages from source. That this fails is no reason to stop: what is no better afterwards is held back. Only
/// when it was interrupted the step ends.
fn mend(task: &mut Task, rebuild: &[Broken], exclude: &[String]) -> Result<Option<Report>, Trouble> {
    let atoms: Vec<String> = rebuild.iter().map(|broken| broken.package.atom()).collect();
    if atoms.is_empty() {
        return Ok(None);
    }
    let asked: Vec<&str> = atoms.iter().map(String::as_str).collect();
    // emerge would refuse all of them because of one whose ebuild is gone, or whose dependencies cannot be had.
    let visible = task.versions(&asked)?;
    let targets = rebuild.iter().filter(|broken| !matches!(visible.get(&broken.package.atom()), Some(None)));
    let targets: Vec<Target> =
        targets.map(|broken| Target { package: broken.package.clone(), slot: broken.slot.clone() }).collect();
    if targets.is_empty() {
        return Ok(None);
    }
    let options = task.options(exclude);
    task.tell_estimates(&options);
    let report = task.rebuild_apart(&targets, Binaries::Ignore, exclude)?;
    Ok(Some(report).filter(|report| matches!(report, Report::Ran(_)) && task.handle.stopped()))
}
