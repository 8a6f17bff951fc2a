//! What the resolver's words propose, as values: which package would do and what masks it, which USE
//! flags it wants changed, and who needs all this.
//!
//! Sources: `_emerge/depgraph.py` (`show_masked_packages`, `_show_unsatisfied_dep`),
//! `_emerge/resolver/slot_collision.py` and `_emerge/resolver/circular_dependency.py`. Lines of another form
//! are passed over: what cannot be read is not proposed, the words themselves are shown in any case.

use std::collections::BTreeSet;

use crate::portage::names::cpv::Cpv;

/// A package that would do if nothing masked it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The package.
    pub package: Cpv,
    /// What masks it.
    pub masks: Vec<Mask>,
}

/// What masks a package (`portage/package/ebuild/getmaskingstatus.py`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mask {
    /// It is not stable; this keyword accepts it: `~amd64`, or `**` where it has none at all.
    Keyword(String),
    /// An entry of `package.mask`.
    Entry,
    /// These licences are not accepted.
    Licence(Vec<String>),
    /// What no setting for a package can change, in Portage's words.
    Other(String),
}

impl Mask {
    fn parse(reason: &str) -> Self {
        let other = || Self::Other(reason.to_owned());
        if reason == "package.mask" {
            return Self::Entry;
        }
        if let Some(keyword) = reason.strip_suffix(" keyword") {
            return match keyword {
                "missing" => Self::Keyword("**".to_owned()),
                unstable if unstable.starts_with('~') => Self::Keyword(unstable.to_owned()),
                _ => other(),
            };
        }
        match reason.strip_suffix(" license(s)") {
            // `|| ( A B )`: one of them is enough, and accepting both is never wrong.
            Some(names) => {
                let names = names.split(' ').filter(|name| !matches!(*name, "||" | "(" | ")"));
                Self::Licence(names.map(str::to_owned).collect())
            }
            None => other(),
        }
    }
}

/// `- cat/pf::repo (masked by: package.mask, ~amd64 keyword)`: of all candidates the one with the
/// fewest reasons that a setting can change, the first of equals. The newest stand first.
pub(crate) fn candidate(lines: &[String]) -> Option<Candidate> {
    let candidates = lines.iter().filter_map(|line| {
        let (package, reasons) = listed(line, "masked by: ")?;
        Some(Candidate { package, masks: reasons.split(", ").map(Mask::parse).collect() })
    });
    candidates.min_by_key(|candidate| {
        let hopeless = candidate.masks.iter().any(|mask| matches!(mask, Mask::Other(_)));
        (hopeless, if hopeless { 0 } else { candidate.masks.len() })
    })
}

impl Candidate {
    /// Whether this Portage is too old for its EAPI.
    pub(crate) fn wants_newer_portage(&self) -> bool {
        self.masks.iter().any(|mask| matches!(mask, Mask::Other(words) if words.starts_with("EAPI ")))
    }
}

/// What the entry of `package.mask` says of itself, in one line: the comment above it, without the line that says who wrote it and
/// when.
pub(crate) fn mask_comment(lines: &[String]) -> Option<String> {
    let at = lines.iter().position(|line| line.starts_with('/') && line.ends_with("package.mask:"))?;
    let comment = lines[at + 1..].iter().map_while(|line| line.strip_prefix('#')).map(str::trim);
    let words: Vec<&str> = comment.filter(|line| !line.is_empty() && !line.ends_with(')')).collect();
    Some(words.join(" ").trim_end_matches('.').to_owned()).filter(|words| !words.is_empty())
}

/// The flags that a package would have to have, and has not: `- cat/pf::repo (Missing IUSE: a b)`.
pub(crate) fn missing_flags(lines: &[String]) -> Option<&str> {
    lines.iter().find_map(|line| Some(listed(line, "Missing IUSE: ")?.1))
}

/// Whether what would do is only left out by `--exclude`, and nobody masked it.
pub(crate) fn is_left_out(lines: &[String]) -> bool {
    let left_out =
        |line: &String| listed(line, "masked by: ").is_some_and(|(_, reasons)| reasons == "exclude option");
    lines.iter().any(left_out)
}

/// A package whose USE flags are to be changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UseChange {
    /// The package.
    pub package: Cpv,
    /// The flags as `package.use` has them: `webp`, `-tiff`.
    pub flags: Vec<String>,
}

/// `- cat/pf::repo (Change USE: +webp -tiff)`; when there are several, each is enough.
pub(crate) fn use_changes(lines: &[String]) -> Vec<UseChange> {
    let changes = lines.iter().filter_map(|line| {
        let (package, flags) = listed(line, "Change USE: ")?;
        // `, this change violates use flag constraints ...`: then it is no way out.
        if flags.contains(',') {
            return None;
        }
        let flags = flags.split(' ').map(|flag| flag.trim_start_matches('+').to_owned()).collect();
        Some(UseChange { package, flags })
    });
    changes.collect()
}

/// The REQUIRED_USE that is not met, as a person reads it: `exactly-one-of ( left right )`.
pub(crate) fn unmet(lines: &[String]) -> Option<&str> {
    let at = lines.iter().position(|line| line.contains("REQUIRED_USE flag constraints are unsatisfied"))?;
    lines[at + 1..].iter().map(|line| line.trim()).find(|line| !line.is_empty())
}

/// A change that meets a constraint without groups in it: the first flag of a choice that has none, the
/// flag that another one asks for. Anything else is for a person to decide.
pub(crate) fn meeting(constraint: &str) -> Option<Vec<String>> {
    let (head, group) = constraint.split_once(" ( ")?;
    let flags: Vec<&str> = group.strip_suffix(" )")?.split(' ').collect();
    let plain = |flag: &&str| flag.bytes().all(|b| b.is_ascii_alphanumeric() || b"+_@-".contains(&b));
    if !flags.iter().all(plain) {
        return None;
    }
    match head {
        "any-of" | "exactly-one-of" => flags.first().map(|flag| vec![(*flag).to_owned()]),
        condition if condition.ends_with('?') && !condition.contains(' ') => {
            Some(flags.into_iter().map(str::to_owned).collect())
        }
        _ => None,
    }
}

/// The package of `- cat/pf::repo USE="-left -right"`, whose flags contradict each other.
pub(crate) fn contradicting(lines: &[String]) -> Option<Cpv> {
    lines.iter().find_map(|line| bare(line.strip_prefix("- ")?.split(' ').next()?))
}

/// `(dependency required by "cat/pf::repo" [ebuild])`, the nearest first. What a set or a command line asks
/// for itself is not among them.
pub(crate) fn required_by(lines: &[String]) -> Vec<Cpv> {
    let chain = lines.iter().filter_map(|line| line.strip_prefix("(dependency required by \""));
    chain.filter_map(|rest| bare(rest.split('"').next()?)).collect()
}

/// Who pulls in the versions that are in conflict: `=a/b-1 required by (cat/pf:0/0::repo, ...)`.
#[must_use]
pub fn requirers(lines: &[String]) -> Vec<Cpv> {
    let (mut found, mut known) = (Vec::new(), BTreeSet::new());
    for line in lines {
        let Some((_, parent)) = line.split_once(" required by (") else { continue };
        if let Some(parent) = in_graph(parent)
            && known.insert(parent.clone())
        {
            found.push(parent);
        }
    }
    found
}

/// The packages of a text that lists them as `  (cat/pf:0/0::repo, ebuild scheduled for merge) ...`, each
/// once: the two of a blocker, those of a circle. With each, whether it is installed already.
#[must_use]
pub fn in_brackets(lines: &[String]) -> Vec<(Cpv, bool)> {
    let (mut found, mut known) = (Vec::new(), BTreeSet::new());
    for line in lines {
        let Some(rest) = line.trim_start().strip_prefix('(') else { continue };
        if let Some(package) = in_graph(rest)
            && known.insert(package.clone())
        {
            found.push((package, rest.contains(", installed)")));
        }
    }
    found
}

/// The packages that own the files of a collision, as Portage found out: `cat/pf:slot::repo`.
pub(crate) fn owners(lines: &[String]) -> Vec<Cpv> {
    let texts = lines.iter().filter_map(|line| line.strip_prefix(" * "));
    let owners = texts.filter(|text| text.contains(':') && !text.starts_with(['\t', ' ']));
    owners.filter_map(|text| Cpv::parse(text.split(':').next()?.as_bytes())).collect()
}

/// A line of a list, `- NAME (KEY TEXT)`: the package and the text.
fn listed<'a>(line: &'a str, key: &str) -> Option<(Cpv, &'a str)> {
    let (name, rest) = line.strip_prefix("- ")?.split_once(" (")?;
    Some((bare(name)?, rest.strip_prefix(key)?.strip_suffix(')')?))
}

/// `cat/pf:slot/sub::repo, ebuild scheduled for merge) ...`
fn in_graph(text: &str) -> Option<Cpv> {
    Cpv::parse(text.split([':', ',']).next()?.as_bytes())
}

/// `cat/pf::repo` without the repository.
fn bare(name: &str) -> Option<Cpv> {
    Cpv::parse(name.split("::").next()?.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    fn names(packages: &[Cpv]) -> Vec<&str> {
        packages.iter().map(Cpv::as_str).collect()
    }

    #[test]
    fn the_candidate_that_needs_least() {
        let found = candidate(&lines(
            "!!! All ebuilds that could satisfy \"a/b\" have been masked.\n\
             - a/b-9999::x (masked by: EAPI 42)\n\
             - a/b-3::x (masked by: package.mask, missing keyword)\n\
             /repo/profiles/package.mask:\n\
             # A comment (masked by: nobody)\n\
             - a/b-2::x (masked by: || ( A-1 B ) license(s))\n\
             - a/b-1::x (masked by: ~amd64 keyword)\n",
        ));
        let masks = vec![Mask::Licence(vec!["A-1".into(), "B".into()])];
        assert_eq!(found, Some(Candidate { package: Cpv::parse(b"a/b-2").expect("a name"), masks }));
        for (reason, mask) in [
            ("~arm64 keyword", Mask::Keyword("~arm64".into())),
            ("missing keyword", Mask::Keyword("**".into())),
            ("-amd64 keyword", Mask::Other("-amd64 keyword".into())),
            ("package.mask", Mask::Entry),
            ("EULA license(s)", Mask::Licence(vec!["EULA".into()])),
            ("corruption", Mask::Other("corruption".into())),
        ] {
            assert_eq!(Mask::parse(reason), mask);
        }
        assert_eq!(candidate(&[]), None);
    }

    #[test]
    fn changes_that_violate_nothing() {
        let changes = use_changes(&lines(
            "by applying any of the following changes:\n\
             - media-libs/tiff-4.7.1 (Change USE: -webp)\n\
             - a/b-1::x (Change USE: +c -d)\n\
             - a/c-1::x (Change USE: +e, this change violates use flag constraints defined by a/c-1: 'f? ( !e )')\n\
             - a/d-1::x (masked by: package.mask)\n",
        ));
        let flags: Vec<_> =
            changes.iter().map(|change| (change.package.as_str(), change.flags.join(" "))).collect();
        assert_eq!(flags, [("media-libs/tiff-4.7.1", "-webp".to_owned()), ("a/b-1", "c -d".to_owned())]);
    }

    #[test]
    fn constraints_that_one_change_meets() {
        for (constraint, flags) in [
            ("any-of ( foo bar )", Some("foo")),
            ("exactly-one-of ( left right )", Some("left")),
            ("gui? ( qt )", Some("qt")),
            ("at-most-one-of ( a b )", None),
            ("any-of ( a ( b c ) )", None),
            ("a? ( !b )", None),
            ("a", None),
            ("", None),
        ] {
            assert_eq!(meeting(constraint).map(|flags| flags.join(" ")).as_deref(), flags, "{constraint}");
        }
    }

    #[test]
    fn who_needs_it() {
        let chain = lines(
            "emerge: there are no ebuilds to satisfy \"a/gone\".\n(dependency required by \"a/b-1::x\" [ebuild])\n\
             (dependency required by \"a/c-1-r2::x\" [installed])\n(dependency required by \"@selected\" [set])\n\
             (dependency required by \"@world\" [argument])\n",
        );
        assert_eq!(names(&required_by(&chain)), ["a/b-1", "a/c-1-r2"]);
        let conflict = lines(
            "  (a/l-2:0/0::x, ebuild scheduled for merge) USE=\"\" pulled in by\n\
             \x20   =a/l-2 required by (a/n-2:0/0::x, ebuild scheduled for merge) USE=\"\"\n\
             \x20   ^     ^\n    =a/l-2 required by (a/n-2:0/0::x, ebuild scheduled for merge) USE=\"\"\n\
             \x20   a/l required by @selected\n",
        );
        assert_eq!(names(&requirers(&conflict)), ["a/n-2"]);
    }

    #[test]
    fn damaged_lines_propose_nothing() {
        let damaged = lines(
            "- \n- (\n-  (masked by: )\n- x (Change USE: +a)\n(dependency required by \"\n() required by (\n(\n * :\n",
        );
        assert_eq!(candidate(&damaged), None);
        assert!(use_changes(&damaged).is_empty() && required_by(&damaged).is_empty());
        assert!(
            requirers(&damaged).is_empty() && in_brackets(&damaged).is_empty() && owners(&damaged).is_empty()
        );
        assert_eq!((unmet(&damaged), contradicting(&damaged)), (None, None));
    }
}
