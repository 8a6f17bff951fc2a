//! Whether ccache comes between builds and their compilers, where it is to: Portage goes on without it and says so in build logs
//! alone, and ccache with the wrong thing behind it fails what is compiled.

use std::collections::BTreeSet;

use super::make_conf::{Deed, Finding, Machine};
use super::settings::Settings;
use crate::portage::command::CCACHE;

/// Programs that compile elsewhere, with the FEATURE that has Portage put links to them before the compilers.
const ELSEWHERE: [(&str, &str); 2] = [("icecc", "icecream"), ("distcc", "distcc")];

/// What makes the links, for every compiler there is.
const LINK: &str = "eselect compiler-shadow update ccache";

/// The directory of links, and their names.
pub(crate) struct Shadows {
    /// One of its [`places`](super::masquerade::places).
    pub directory: String,
    /// What is in it.
    pub names: BTreeSet<String>,
}

/// What is wrong with ccache. `added` are the FEATURES that the configuration of gbsup has switched on beside those of the settings.
pub(crate) fn judge(
    settings: &Settings,
    added: &[&str],
    machine: &Machine,
    shadows: Option<&Shadows>,
) -> Vec<Finding> {
    let has = |feature: &str| added.contains(&feature) || settings.features.contains(feature);
    if !has(CCACHE) {
        return Vec::new();
    }
    let absent = absent(settings, added.contains(&CCACHE), machine, shadows);
    twice(settings, has).into_iter().chain(absent).collect()
}

/// ccache takes what the links lead to for the compiler, and its prefix is called with that: itself.
fn twice(settings: &Settings, has: impl Fn(&str) -> bool) -> Option<Finding> {
    let prefix = settings.others.get(PREFIX)?;
    let program = prefix.split_whitespace().next()?.rsplit('/').next()?;
    let (_, feature) = ELSEWHERE.iter().find(|(name, feature)| *name == program && has(feature))?;
    let words = format!(
        "CCACHE_PREFIX is {prefix}, and FEATURES has {feature}, which puts {program} behind ccache as well: whatever is \
         compiled fails; remove CCACHE_PREFIX"
    );
    Some(Finding { deed: Deed::Stop, variable: PREFIX, words, suggestions: Vec::new() })
}

/// The variable that says it.
const PREFIX: &str = "CCACHE_PREFIX";

/// That it does nothing, or nothing for some compiler.
fn absent(settings: &Settings, ours: bool, machine: &Machine, shadows: Option<&Shadows>) -> Option<Finding> {
    let (variable, wanted) =
        if ours { ("", "[ccache] size is set") } else { ("FEATURES", "FEATURES has ccache") };
    let tell = |words| Some(Finding { deed: Deed::Tell, variable, words, suggestions: Vec::new() });
    if !(machine.found)(CCACHE) {
        return tell(format!(
            "{wanted}, and ccache is not installed, so that everything is compiled anew: emerge --oneshot dev-util/ccache"
        ));
    }
    let Some(Shadows { directory, names }) = shadows else {
        let words = "is installed, but in no directory of links for compilers (/usr/lib/ccache/bin), so that Portage goes on \
                     without it";
        return tell(format!("{wanted}, and ccache {words}: {LINK}"));
    };
    // Others are called by few packages, and not every system has links for them.
    let chost = &settings.chost;
    let own = settings.attention.compiler().to_owned();
    let compilers = [format!("{chost}-gcc"), format!("{chost}-g++"), own];
    let is_passed_by =
        |name: &&String| !name.contains('/') && (machine.found)(name) && !names.contains(*name);
    let passed_by: BTreeSet<&str> = compilers.iter().filter(is_passed_by).map(String::as_str).collect();
    if passed_by.is_empty() {
        return None;
    }
    let passed_by = passed_by.into_iter().collect::<Vec<_>>().join(" and ");
    tell(format!(
        "{wanted}, and {directory} has no link for {passed_by}, so that what is compiled by that name is compiled anew: {LINK}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GENTOO: [&str; 2] = ["x86_64-pc-linux-gnu-gcc", "x86_64-pc-linux-gnu-g++"];

    /// What is said with these settings and FEATURES, these programs, and links of these names.
    fn judged(text: &str, added: &[&str], programs: &[&str], links: Option<&[&str]>) -> Vec<(Deed, String)> {
        let found = |program: &str| programs.contains(&program);
        let machine = Machine { found: &found, cpus: 4 };
        let shadows = links.map(|links| Shadows {
            directory: "/usr/lib/ccache/bin".to_owned(),
            names: links.iter().map(|&link| link.to_owned()).collect(),
        });
        let settings = Settings::parse(format!("CHOST=x86_64-pc-linux-gnu\n{text}").as_bytes());
        let findings = judge(&settings, added, &machine, shadows.as_ref());
        findings.into_iter().map(|finding| (finding.deed, finding.words)).collect()
    }

    #[test]
    fn what_is_right_is_passed_over() {
        let gentoo = ["ccache", "gcc", GENTOO[0], GENTOO[1]];
        let all = [&GENTOO[..], &["gcc"]].concat();
        let right = [
            ("", &[][..], &[][..], None),
            ("CCACHE_PREFIX=icecc\nFEATURES=icecream\n", &[], &[], None),
            ("", &["ccache"], &gentoo, Some(&all[..])),
            ("FEATURES=ccache\n", &[], &gentoo, Some(&all)),
            // Without FEATURES of its own that is how the manual of ccache has it.
            ("CCACHE_PREFIX=icecc\nFEATURES=distcc\n", &["ccache"], &gentoo, Some(&all)),
            ("CCACHE_PREFIX='strace -f'\nFEATURES=distcc\n", &["ccache"], &gentoo, Some(&all)),
            // Debian has no such names, and links none.
            ("", &["ccache"], &["ccache", "gcc"], Some(&["gcc"])),
            ("CC=/opt/cc\n", &["ccache"], &["ccache", "/opt/cc"], Some(&[])),
        ];
        for (text, added, programs, links) in right {
            assert_eq!(judged(text, added, programs, links), [], "{text}");
        }
    }

    #[test]
    fn what_keeps_it_away_is_told_with_what_to_type() {
        let gentoo = ["ccache", "gcc", "clang", GENTOO[0], GENTOO[1]];
        for (text, added, programs, links, words) in [
            ("", &["ccache"][..], &["gcc"][..], None, "[ccache] size is set, and ccache is not installed"),
            ("FEATURES=ccache\n", &[], &["gcc"], None, "FEATURES has ccache, and ccache is not installed"),
            ("", &["ccache"], &gentoo, None, "in no directory of links"),
            (
                "",
                &["ccache"],
                &gentoo,
                Some(&["gcc", GENTOO[1]][..]),
                "/usr/lib/ccache/bin has no link for x86_64-pc-linux-gnu-gcc, ",
            ),
            (
                "",
                &["ccache"],
                &gentoo,
                Some(&["gcc"]),
                "x86_64-pc-linux-gnu-g++ and x86_64-pc-linux-gnu-gcc, ",
            ),
            ("CC=clang\n", &["ccache"], &gentoo, Some(&GENTOO), "no link for clang, "),
        ] {
            let told = judged(text, added, programs, links);
            let [(Deed::Tell, said)] = told.as_slice() else { panic!("{text}: {told:?}") };
            assert!(said.contains(words), "{said}");
            let command =
                if programs.contains(&"ccache") { LINK } else { "emerge --oneshot dev-util/ccache" };
            assert!(said.ends_with(&format!(": {command}")), "{said}");
        }
    }

    #[test]
    fn what_is_behind_it_twice_stops_the_builder() {
        for (text, added) in [
            ("CCACHE_PREFIX=icecc\nFEATURES='ccache icecream'\n", &[][..]),
            ("CCACHE_PREFIX=/usr/bin/icecc\nFEATURES=icecream\n", &["ccache"]),
            ("CCACHE_PREFIX='icecc'\n", &["ccache", "icecream"]),
            ("CCACHE_PREFIX='distcc --x'\nFEATURES='distcc'\n", &["ccache"]),
        ] {
            let told = judged(text, added, &[], None);
            assert!(matches!(told[0].0, Deed::Stop), "{text}: {told:?}");
            assert!(told[0].1.ends_with("remove CCACHE_PREFIX"), "{told:?}");
        }
    }

    #[test]
    fn the_manual_names_it() {
        assert!(include_str!("../../../docs/make-conf.md").contains(&format!("`{PREFIX}`")));
    }
}
