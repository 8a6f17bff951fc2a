//! The plan step: what Portage would do, and what it would do that with.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::rebuild;
use super::task::Task;
use crate::decide::classify;
use crate::host::build::binaries;
use crate::host::{inputs, installed};
use crate::model::Report;
use crate::model::failure::Trouble;
use crate::portage::command;
use crate::portage::files::repository;
use crate::portage::names::cpv::Cpv;
use crate::portage::output::plan::{Plan, Reader};

impl Task {
    pub(crate) fn plan(&mut self, exclude: &[String], skips: &[String]) -> Result<Report, Trouble> {
        let options = self.options(exclude);
        let host = self.host()?;
        let settings = self.settings()?;
        let before = installed::settled(&self.volume);
        rebuild::tell_changes(self, before.as_ref(), &installed::packages(), &settings);
        let mut reader = Reader::new();
        let ran = self.run_reading(&command::plan(&host, &options), |line| reader.line(line))?;
        if let Some(failure) = classify::not_understood(&ran, reader.unread()) {
            return Err(Box::new(failure));
        }
        let mut plan = reader.finish(&binaries(&settings));
        let repos = self.repositories(&plan)?;
        inputs::look_up(&mut plan, &repos);
        let offered = self.offered(skips)?;
        Ok(Report::Planned { ran: Box::new(ran), plan, offered })
    }

    /// Where the repositories are from which something is merged.
    fn repositories(&mut self, plan: &Plan) -> Result<BTreeMap<String, PathBuf>, Trouble> {
        if plan.packages.is_empty() {
            return Ok(BTreeMap::new());
        }
        Ok(repository::by_name(&self.repos_config()?))
    }

    /// What Portage would take of these.
    fn offered(&mut self, skips: &[String]) -> Result<BTreeMap<String, Cpv>, Trouble> {
        let mut offered = BTreeMap::new();
        for atom in skips {
            let (_, version) = self.capture(&command::best_visible(atom))?;
            offered.extend(command::visible(&version).map(|version| (atom.clone(), version)));
        }
        Ok(offered)
    }
}
