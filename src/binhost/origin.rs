//! How the packages came to be: why each was built, and what it was built with.

use std::fs;
use std::path::Path;

use crate::binhost::release::Facts;
use crate::model::state::CyclePlan;
use crate::render;
use crate::volume::replace;

/// What was written down last about how packages came to be.
pub(crate) fn known_facts(volume: &Path) -> Facts {
    let text = fs::read(volume.join(ORIGIN)).ok();
    text.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
}

/// Keeps why packages are about to be built until they are published, whatever becomes of the plan.
pub(crate) fn learn(volume: &Path, made: &CyclePlan) {
    let mut facts = known_facts(volume);
    for planned in made.plan.packages.iter().filter(|planned| !planned.binary) {
        facts.reasons.insert(planned.cpv.clone(), render::reasons(planned));
    }
    save_facts(volume, &facts);
}

/// Without them a release says less, and is as good as with them.
pub(crate) fn save_facts(volume: &Path, facts: &Facts) {
    drop(replace(&volume.join(ORIGIN), facts));
}

/// [`Facts`], as JSON.
const ORIGIN: &str = "state/origin.json";
