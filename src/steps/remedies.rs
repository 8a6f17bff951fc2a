//! What the remedies of [`core`](crate::decide::remedy) do to the system.

use std::fs::OpenOptions;
use std::io::Write;

use super::quarantine;
use super::task::Task;
use super::temporary_use::TemporaryUse;
use crate::decide::rest::{Rest, Tried};
use crate::host::build::cpus;
use crate::host::prune;
use crate::model::Report;
use crate::model::failure::Trouble;
use crate::model::prune::Pruned;
use crate::model::work::Target;
use crate::model::work::{Change, Fewer};
use crate::portage::command::{self, Binaries, BuildOptions, Command, Host, Versions};
use crate::portage::files::{makeopts, repository};
use crate::portage::names::cpv::Cpv;
use crate::portage::output::circular::{self, Solution};

impl Task {
    pub(crate) fn again(
        &mut self,
        packages: &[String],
        change: Change,
        exclude: &[String],
    ) -> Result<Report, Trouble> {
        let options = self.options(exclude);
        let host = self.host()?;
        let packages: Vec<Cpv> = packages.iter().filter_map(|cpv| Cpv::parse(cpv.as_bytes())).collect();
        let mut makeopts = None;
        match change {
            Change::Nothing => {}
            Change::Fewer(fewer) => makeopts = Some(self.makeopts(fewer)?),
            Change::SetAside => quarantine::packages(self, &packages)?,
        }
        let command = command::again(&packages, makeopts.as_deref(), &host, &options);
        self.run(&command).map(|ran| Report::Ran(Box::new(ran)))
    }

    /// Builds what a build left untried, attempt by attempt; see [`crate::decide::rest`].
    pub(crate) fn rest(
        &mut self,
        targets: &[Target],
        exclude: &[String],
        failed: &[String],
    ) -> Result<Report, Trouble> {
        self.attempts(Rest::begin(targets, exclude, failed), command::rest)
    }

    /// Merges these versions again, without those that keep the others from it.
    pub(crate) fn rebuild_apart(
        &mut self,
        targets: &[Target],
        how: Binaries,
        exclude: &[String],
    ) -> Result<Report, Trouble> {
        self.attempts(Rest::begin(targets, exclude, &[]), |targets, host, options| {
            let atoms: Vec<String> = targets.iter().map(Cpv::atom).collect();
            command::rebuild(&atoms, how, host, options)
        })
    }

    /// The version that emerge would take for each of these atoms.
    pub(crate) fn versions(&mut self, atoms: &[&str]) -> Result<Versions, Trouble> {
        let (_, text) = self.capture(&command::mass_best_visible(atoms))?;
        Ok(command::versions(&text))
    }

    /// Makes each attempt with the command that is for it.
    fn attempts(
        &mut self,
        mut rest: Rest,
        command: impl Fn(&[Cpv], &Host, &BuildOptions) -> Command,
    ) -> Result<Report, Trouble> {
        let host = self.host()?;
        let mut before = None;
        while let Some(attempt) = rest.attempt() {
            let options = self.options(&attempt.exclude);
            let ran = self.run(&command(&attempt.targets, &host, &options))?;
            if ran.is_cut_short() {
                return Ok(Report::Ran(Box::new(ran.after(before))));
            }
            rest.note(&Tried::of(&ran));
            if ran.failed_by_package() {
                before = Some(ran.after(before));
            }
        }
        Ok(Report::Rest { ran: before.map(Box::new), untried: rest.untried() })
    }

    /// Removes what the configuration does not keep. It also does when nothing can be logged any more.
    pub(crate) fn prune(&mut self) -> Pruned {
        let config = self.config.clone();
        let settings = self.settings().ok();
        let repositories = self.repos_config().map(|text| repository::locations(&text)).unwrap_or_default();
        let (removals, problems) = prune::survey(&config, settings, || repositories);
        let mut log = OpenOptions::new().create(true).append(true).open(self.log());
        let handle = self.handle.clone();
        let pruned = prune::remove(
            &removals,
            || handle.stopped(),
            |gone| {
                if let Ok(log) = &mut log {
                    drop(writeln!(log, "removed: {}", gone.sentence()));
                }
            },
            |command| self.capture(command).ok().map(|(_, text)| text),
        );
        Pruned { problems: [problems, pruned.problems].concat(), ..pruned }
    }

    fn makeopts(&mut self, fewer: Fewer) -> Result<String, Trouble> {
        let makeopts = self.settings()?.makeopts;
        let jobs = makeopts::jobs(&makeopts).unwrap_or_else(cpus);
        Ok(makeopts::with_jobs(&makeopts, fewer.of(jobs)))
    }

    pub(crate) fn circle(
        &mut self,
        text: &[String],
        within: Option<&Solution>,
        exclude: &[String],
    ) -> Result<Report, Trouble> {
        let options = self.options(exclude);
        let host = self.host()?;
        if host.capabilities.circular_report {
            let _in_force = within.map(TemporaryUse::of).transpose()?;
            let (_, output) = self.capture(&command::circle(within, &host, &options))?;
            if let Some(circle) = circular::from_json(&output) {
                return Ok(Report::Circle(circle));
            }
        }
        Ok(Report::Circle(circular::from_text(text.iter().map(String::as_str))))
    }

    pub(crate) fn untangle(&mut self, solution: &Solution, exclude: &[String]) -> Result<Report, Trouble> {
        let options = self.options(exclude);
        let host = self.host()?;
        let _in_force = TemporaryUse::of(solution)?;
        self.run(&command::untangle(solution, &host, &options)).map(|ran| Report::Ran(Box::new(ran)))
    }
}
