//! What an offer leaves out because it may not be handed on, for a binhost that is open to everybody.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::beneath::Beneath;
use crate::model::offer::{Held, Offer, Why};
use crate::portage::files::index::{Index, Package};
use crate::portage::names::licence::{self, Groups, REDISTRIBUTABLE};

/// The groups of licences of these repositories.
pub(crate) fn groups(repositories: &[PathBuf]) -> Groups {
    let mut groups = Groups::default();
    for repository in repositories {
        let text = Beneath::open(repository).and_then(|place| place.digested("profiles/license_groups"));
        groups.read(&String::from_utf8_lossy(&text.unwrap_or_default()));
    }
    groups
}

/// Holds back what may not be handed on. What needs it is offered all the same: who has it installed has built it
/// himself.
///
/// # Errors
/// When no repository says which licences allow it.
pub(crate) fn withhold(offer: &mut Offer, index: &Index, groups: &Groups) -> Result<(), String> {
    let free = groups.licences(REDISTRIBUTABLE);
    if free.is_empty() {
        return Err(format!(
            "no repository has the group {REDISTRIBUTABLE} in its profiles/license_groups, which \
             publish.redistributable_only goes by"
        ));
    }
    let forbidden = |package: &Package| {
        let flags: BTreeSet<&str> = package.flags().collect();
        let what = licence::forbids(package.get("LICENSE"), package.get("RESTRICT"), &flags, &free)?;
        Some((package.file().path, what))
    };
    let mut forbidden: BTreeMap<String, String> = index.packages.iter().filter_map(forbidden).collect();
    let mut held = Vec::new();
    offer.packages.retain(|offered| match forbidden.remove(&offered.path) {
        Some(what) => {
            let (cpv, slot) = (offered.cpv.clone(), offered.slot.clone());
            held.push(Held { cpv, slot, why: Why::Licence, what });
            false
        }
        None => true,
    });
    offer.held.extend(held);
    Ok(())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::model::offer::Offered;

    #[test]
    fn what_may_not_be_handed_on_is_held_back_and_named() {
        let text = "VERSION: 0\n\nCPV: a/free-1\nLICENSE: MIT\nPATH: free\n\nCPV: a/secret-1\nLICENSE: EULA\nPATH: secret\n\
                    \nCPV: a/marked-1\nLICENSE: MIT\nPATH: marked\nRESTRICT: x? ( bindist )\nUSE: x\n\n";
        let index = Index::parse(text.as_bytes());
        let offered = |package: &Package| Offered {
            cpv: package.cpv.clone(),
            slot: "0".into(),
            path: package.file().path,
            size: 1,
            sha1: String::new(),
            beside: None,
        };
        let mut offer = Offer {
            schema: Offer::SCHEMA,
            made: Timestamp::UNIX_EPOCH,
            cycle: None,
            packages: index.packages.iter().map(offered).collect(),
            held: Vec::new(),
        };
        assert!(withhold(&mut offer.clone(), &index, &Groups::default()).is_err());
        let mut groups = Groups::default();
        groups.read("BINARY-REDISTRIBUTABLE MIT\n");
        withhold(&mut offer, &index, &groups).unwrap();
        assert_eq!(
            offer.packages.iter().map(|offered| offered.cpv.as_str()).collect::<Vec<_>>(),
            ["a/free-1"]
        );
        let held: Vec<_> = offer.held.iter().map(|held| format!("{} {}", held.cpv, held.what)).collect();
        assert_eq!(
            held,
            [
                "a/secret-1 may not be handed on: its licence is EULA",
                "a/marked-1 may not be handed on: RESTRICT has bindist"
            ]
        );
        assert!(offer.held.iter().all(|held| held.why == Why::Licence));
    }
}
