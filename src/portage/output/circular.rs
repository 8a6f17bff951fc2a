//! A circular dependency, and the change of USE flags that breaks it.
//!
//! Portage itself looks for such changes (`_emerge/resolver/circular_dependency.py`) and leaves out those
//! that the profile forbids or that would break REQUIRED_USE. Since 3.0.83 it prints what it found as
//! JSON (`--circular-deps-report=json`), before that as text.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::portage::names::cpv::Cpv;

/// What Portage says of a circular dependency.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Circle {
    /// The shortest one: each needs the next to be built, the last one the first.
    pub packages: Vec<Cpv>,
    /// What would break it, as Portage orders it.
    pub solutions: Vec<Solution>,
}

/// Other USE flags for one package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Solution {
    /// The package.
    pub package: Cpv,
    /// The flags; true to enable one.
    pub flags: BTreeMap<String, bool>,
}

impl Solution {
    /// The flags as they stand in a `package.use` file: `-harfbuzz png`.
    pub(crate) fn flags(&self) -> String {
        let sign = |enabled: bool| if enabled { "" } else { "-" };
        let flags: Vec<String> =
            self.flags.iter().map(|(flag, &enabled)| format!("{}{flag}", sign(enabled))).collect();
        flags.join(" ")
    }
}

impl Circle {
    /// What is wrong, with the circle where it is known: `packages need each other to be built: a/a-1 needs
    /// b/b-1 needs a/a-1`.
    pub(crate) fn complaint(&self) -> String {
        let complaint = "packages need each other to be built";
        let Some(first) = self.packages.first() else { return complaint.to_owned() };
        let names: Vec<&str> = self.packages.iter().chain([first]).map(Cpv::as_str).collect();
        format!("{complaint}: {}", names.join(" needs "))
    }

    /// What a person can do when Portage knows no change of flags: see who needs whom, and leave one of them out. To ask
    /// again would only be answered again.
    pub(crate) fn ways_out(&self, log: &str) -> Vec<String> {
        let flags = self.packages.first().map(|package| format!("equery uses {}", package.atom()));
        let skips = self.packages.iter().take(2).map(|package| format!("gbsup skip {}", package.cp()));
        [format!("less {log}")].into_iter().chain(flags).chain(skips).collect()
    }

    /// The solution to try next: a package of the circle, with the fewest flags to change, and rather one
    /// that is switched off than one that brings more dependencies. None of those `tried` before.
    #[must_use]
    pub fn solution(&self, tried: &[Solution]) -> Option<&Solution> {
        let circle: BTreeSet<&Cpv> = self.packages.iter().collect();
        let burden = |solution: &&Solution| {
            let enabled = solution.flags.values().filter(|&&enabled| enabled).count();
            (!circle.contains(&solution.package), enabled, solution.flags.len())
        };
        self.solutions.iter().filter(|solution| !tried.contains(solution)).min_by_key(burden)
    }
}

/// Reads the report from what `emerge --circular-deps-report=json` printed. Nothing when there is none,
/// or when it is damaged or names what is no package: half a circle is none.
#[must_use]
pub fn from_json(output: &[u8]) -> Option<Circle> {
    #[derive(Deserialize)]
    struct Report {
        shortest_cycle: Vec<Link>,
        solutions: Vec<Change>,
    }
    #[derive(Deserialize)]
    struct Link {
        parent: String,
    }
    #[derive(Deserialize)]
    struct Change {
        package: String,
        use_changes: Vec<BTreeMap<String, bool>>,
    }
    // The report begins and ends with a line of its own, after what emerge prints anyway.
    let mut lines = output.split_inclusive(|&b| b == b'\n');
    let mut at = 0;
    let start = lines.find_map(|line| {
        let start = at;
        at += line.len();
        (line.trim_ascii_end() == b"{").then_some(start)
    })?;
    let mut reports = serde_json::Deserializer::from_slice(&output[start..]).into_iter::<Report>();
    let report = reports.next()?.ok()?;
    Some(Circle {
        packages: report.shortest_cycle.iter().map(|link| cpv(&link.parent)).collect::<Option<_>>()?,
        solutions: report
            .solutions
            .into_iter()
            .filter_map(|change| {
                let flags = change.use_changes.into_iter().flatten().collect();
                Some(Solution { package: cpv(&change.package)?, flags })
            })
            .collect(),
    })
}

/// Reads the text that emerge prints when it knows no JSON: the lines from `Error: circular dependencies`
/// on.
#[must_use]
pub fn from_text<'a>(lines: impl IntoIterator<Item = &'a str>) -> Circle {
    let mut circle = Circle::default();
    let mut known = BTreeSet::new();
    for line in lines {
        if let Some(rest) = line.trim_start().strip_prefix('(') {
            // (a/a-1:0/0::repo, ebuild scheduled for merge) depends on
            // Each stands below the one that needs it; the last one is the first again.
            let package = rest.split([':', ',']).next().and_then(cpv);
            circle.packages.extend(package.filter(|package| known.insert(package.clone())));
        } else if let Some(solution) = line.strip_prefix("- ").and_then(change) {
            circle.solutions.push(solution);
        }
    }
    circle
}

/// `a/a-1 (Change USE: -flag +other)`
fn change(line: &str) -> Option<Solution> {
    let (package, flags) = line.split_once(" (Change USE: ")?;
    let (flags, _) = flags.split_once(')')?;
    let flags = flags.split_whitespace().map(|flag| match flag.strip_prefix('-') {
        Some(flag) => (flag.to_owned(), false),
        None => (flag.trim_start_matches('+').to_owned(), true),
    });
    Some(Solution { package: cpv(package)?, flags: flags.collect() })
}

fn cpv(text: &str) -> Option<Cpv> {
    Cpv::parse(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn solution(package: &str, flags: &[(&str, bool)]) -> Solution {
        let flags = flags.iter().map(|&(flag, enabled)| (flag.to_owned(), enabled)).collect();
        Solution { package: cpv(package).unwrap(), flags }
    }

    #[test]
    fn both_reports_say_the_same() {
        let mut json = from_json(include_bytes!("../../../tests/captured/circular-report.txt")).unwrap();
        assert_eq!(
            json.complaint(),
            "packages need each other to be built: media-libs/harfbuzz-6.0.0 needs \
             media-libs/freetype-2.12.1 needs media-libs/harfbuzz-6.0.0"
        );
        assert_eq!(json.solutions, [solution("media-libs/freetype-2.12.1", &[("harfbuzz", false)])]);
        assert_eq!(json.solutions[0].flags(), "-harfbuzz");
        let text = include_str!("../../../tests/captured/circular-text.txt");
        let mut text = from_text(text.lines().skip_while(|line| !line.contains("Error: circular")));
        // Where a circle begins is chance.
        json.packages.sort();
        text.packages.sort();
        assert_eq!(text, json);
    }

    #[test]
    fn the_lightest_solution_comes_first_and_none_twice() {
        let circle = Circle {
            packages: ["a/a-1", "b/b-1"].map(|name| cpv(name).unwrap()).to_vec(),
            solutions: vec![
                solution("c/c-1", &[("x", false)]),
                solution("a/a-1", &[("x", true)]),
                solution("a/a-1", &[("x", false), ("y", false)]),
                solution("b/b-1", &[("z", false)]),
            ],
        };
        let mut tried = Vec::new();
        while let Some(next) = circle.solution(&tried) {
            tried.push(next.clone());
        }
        let order = [3, 2, 1, 0].map(|n: usize| circle.solutions[n].clone());
        assert_eq!(tried, order);
    }

    #[test]
    fn damage_is_no_report() {
        for output in ["", "{", "{\n", "x {\n}\n", "{\n}\n", "{\n\"shortest_cycle\": 1\n}\n"] {
            assert_eq!(from_json(output.as_bytes()), None, "{output}");
        }
        for line in ["- a (Change USE: -x)", "- a/a-1 (Change USE: -x", "- a/a-1", "(", "-"] {
            assert_eq!(from_text([line]), Circle::default(), "{line}");
        }
    }

    #[test]
    fn more_than_one_flag_in_either_direction() {
        let circle = from_text([
            "- a/a-1 (Change USE: -x +y)",
            " (This change might require USE changes on parent packages.)",
        ]);
        assert_eq!(circle.solutions, [solution("a/a-1", &[("x", false), ("y", true)])]);
        assert_eq!(circle.solutions[0].flags(), "-x y");
    }
}
