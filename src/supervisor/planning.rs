//! The plan step: what Portage would do, and what it would do that with.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::task::{Task, Trouble, binaries};
use super::{inputs, installed, rebuild};
use crate::core::Report;
use crate::portage::command;
use crate::portage::cpv::Cpv;
use crate::portage::plan::{Plan, Reader};

impl Task {
    pub(super) fn plan(&mut self, exclude: &[String], skips: &[String]) -> Result<Report, Trouble> {
        let options = self.options(exclude);
        let host = self.host()?;
        let settings = self.settings()?;
        let before = installed::settled(&self.volume);
        rebuild::tell_changes(self, before.as_ref(), &installed::packages(), &settings);
        let mut reader = Reader::new();
        let ran = self.run_reading(&command::plan(&host, &options), |line| reader.line(line))?;
        let mut plan = reader.finish(&binaries(&settings));
        let repos = self.repositories(&plan)?;
        inputs::look_up(&mut plan, &repos);
        let offered = self.offered(skips)?;
        Ok(Report::Planned { ran: Box::new(ran), plan, offered })
    }

    /// Where the repositories are from which something is merged.
    fn repositories(&mut self, plan: &Plan) -> Result<BTreeMap<String, PathBuf>, Trouble> {
        let names: BTreeSet<&str> = plan.packages.iter().map(|package| package.repo.as_str()).collect();
        let names: Vec<&str> = names.into_iter().filter(|name| !name.is_empty()).collect();
        if names.is_empty() {
            return Ok(BTreeMap::new());
        }
        let (_, paths) = self.capture(&command::repo_paths(&names))?;
        let paths = String::from_utf8_lossy(&paths);
        let found = names.iter().zip(paths.lines()).filter(|(_, path)| !path.is_empty());
        Ok(found.map(|(name, path)| ((*name).to_owned(), PathBuf::from(path))).collect())
    }

    /// What Portage would take of these.
    fn offered(&mut self, skips: &[String]) -> Result<BTreeMap<String, Cpv>, Trouble> {
        let mut offered = BTreeMap::new();
        for atom in skips {
            let (_, version) = self.capture(&command::best_visible(atom))?;
            offered.extend(Cpv::parse(version.trim_ascii()).map(|version| (atom.clone(), version)));
        }
        Ok(offered)
    }
}
