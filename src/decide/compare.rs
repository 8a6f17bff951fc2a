//! What a client would build itself although there is a binhost, and why: what its own emerge says that it would
//! do, beside what is on offer.

use serde::Serialize;

use crate::model::offer::Held;
use crate::portage::files::index::{Index, Package};
use crate::portage::names::cpv::Cpv;
use crate::portage::output::plan::{Plan, Planned};

/// A package that the client would build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Which.
    pub package: Cpv,
    /// Why.
    #[serde(flatten)]
    pub why: Why,
}

/// Why a client builds a package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "why")]
pub enum Why {
    /// It is offered with other USE flags.
    Use {
        /// Those that differ, as the client wants them: `doc`, `-doc`.
        wanted: Vec<String>,
    },
    /// It is offered with these flags, and the client takes it for unfit: its dependencies or its slot are not
    /// those of the client's ebuild, which is newer or older, or the client has patches of its own.
    Unfit,
    /// It is held back.
    Held {
        /// What is wrong with it, in words that follow its name.
        what: String,
    },
    /// Only these versions of it are offered; the client's tree or its masks are others.
    Version {
        /// Those versions.
        offered: Vec<Cpv>,
    },
    /// No version of it is offered.
    Missing,
}

/// What of this plan of a client is built, in the order of the plan.
pub(crate) fn compare(plan: &Plan, offered: &Index, held: &[Held]) -> Vec<Difference> {
    let built = plan.packages.iter().filter(|planned| !planned.binary);
    built
        .map(|planned| Difference { package: planned.cpv.clone(), why: why(planned, offered, held) })
        .collect()
}

fn why(planned: &Planned, offered: &Index, held: &[Held]) -> Why {
    let same_name = offered.packages.iter().filter(|package| package.cpv.cp() == planned.cpv.cp());
    let builds: Vec<&Package> = same_name.clone().filter(|package| package.cpv == planned.cpv).collect();
    let wanted = |package: &&Package| {
        let has = |flag: &str| package.flags().any(|has| has == flag);
        let differs = |flag: &&String| match flag.strip_prefix('-') {
            Some(off) => has(off),
            None => !has(flag),
        };
        planned.flags.iter().filter(differs).cloned().collect::<Vec<_>>()
    };
    if let Some(nearest) = builds.iter().map(wanted).min_by_key(Vec::len) {
        return if nearest.is_empty() { Why::Unfit } else { Why::Use { wanted: nearest } };
    }
    if let Some(held) = held.iter().find(|held| held.cpv == planned.cpv) {
        return Why::Held { what: held.what.clone() };
    }
    let offered: Vec<Cpv> = same_name.map(|package| package.cpv.clone()).collect();
    if offered.is_empty() { Why::Missing } else { Why::Version { offered } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::offer;
    use crate::portage::output::plan::Reader;

    #[test]
    fn each_package_that_is_built_has_its_reason() {
        let mut reader = Reader::new();
        for line in [
            "These are the packages that would be merged, in order:",
            "[binary   R    ] a/taken-1-1::g  USE=\"x\" 0 KiB",
            "[ebuild  N     ] a/flags-1::g  USE=\"doc x -test\" L10N=\"de -fr\" 3 KiB",
            "[ebuild  N     ] a/unfit-1::g  USE=\"x\" 3 KiB",
            "[ebuild  N     ] a/held-2::g  3 KiB",
            "[ebuild     U  ] a/newer-3::g [2::g] 3 KiB",
            "[ebuild  N     ] a/nowhere-1::g  3 KiB",
        ] {
            reader.line(line.as_bytes());
        }
        let plan = reader.finish(&[]);
        let index = Index::parse(
            b"VERSION: 0\n\nCPV: a/flags-1\nUSE: test x\n\nCPV: a/flags-1\nUSE: x l10n_de\n\nCPV: a/unfit-1\nUSE: x\n\n\
              CPV: a/held-1\n\nCPV: a/newer-2\n\n",
        );
        let cpv = |text: &str| Cpv::parse(text.as_bytes()).unwrap();
        let held =
            Held { cpv: cpv("a/held-2"), slot: "0".into(), why: offer::Why::File, what: "is damaged".into() };
        let found: Vec<_> = compare(&plan, &index, &[held]).into_iter().map(|found| found.why).collect();
        assert_eq!(
            found,
            [
                Why::Use { wanted: vec!["doc".into()] },
                Why::Unfit,
                Why::Held { what: "is damaged".into() },
                Why::Version { offered: vec![cpv("a/newer-2")] },
                Why::Missing,
            ]
        );
    }
}
