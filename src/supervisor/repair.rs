//! Repairs what a killed container left (temporary).
use super::perform::{Task, Trouble};
use crate::portage::settings::Settings;
pub(super) fn run(_task: &mut Task, _settings: &Settings) -> Result<Vec<String>, Trouble> {
    Ok(Vec::new())
}
