//! Why nothing could be built: the resolver's or the configuration's trouble, in Portage's own words, with
//! what it proposes as commands.

use super::parts::{self, EXPLANATION, PROFILE_COMMANDS, brief, last, out_of_memory};
use super::unseen;
use crate::model::Ran;
use crate::model::failure::{Class, Failure};
use crate::model::machine::{Machine, Place};
use crate::portage::command::shell_quote;
use crate::portage::names::cpv::Cpv;
use crate::portage::output::advice::{self, Mask};
use crate::portage::output::circular;
use crate::portage::output::complaints;
use crate::portage::output::markers::ProblemKind;
use crate::portage::output::problem::Problem;

/// Bytes of a list of USE flags that has room in a sentence.
const SHORT: usize = 40;

/// What a problem means, and what to type.
pub(super) fn failure(problem: &Problem, ran: &Ran) -> Failure {
    let told = match problem.kind {
        ProblemKind::Circular => circular(problem, ran),
        ProblemKind::SlotConflict => slot_conflict(problem),
        ProblemKind::Blocker => blocker(problem),
        ProblemKind::Masked => masked(problem, ran),
        ProblemKind::Missing => missing(problem, ran),
        ProblemKind::UseChange => use_change(problem, ran),
        ProblemKind::RequiredUse => required_use(problem, ran),
        ProblemKind::Autounmask => autounmask(problem, ran),
        ProblemKind::Resolver => resolver(problem, ran),
        _ => plain(problem, ran),
    };
    let about_it = matches!(
        problem.kind,
        ProblemKind::Masked | ProblemKind::Missing | ProblemKind::UseChange | ProblemKind::RequiredUse
    );
    let lines: Vec<String> = if problem.is_traceback() {
        // The last calls are where it happened.
        last(&problem.lines)
    } else {
        problem.lines.iter().filter(|line| !line.trim().is_empty()).take(EXPLANATION).cloned().collect()
    };
    Failure {
        package: problem.subject.as_deref().filter(|_| about_it).map(brief),
        evidence: lines.into_iter().chain(told.evidence).collect(),
        log: Some(ran.log.clone()),
        suggestions: told.suggestions,
        may_pass: told.may_pass,
        ..Failure::new(told.class, brief(&told.message))
    }
}

/// Package settings that make one candidate of a masked atom acceptable.
fn masked(problem: &Problem, ran: &Ran) -> Failure {
    if advice::is_left_out(&problem.lines) {
        // Nobody masked it: it is gbsup's own --exclude.
        let message = format!(
            "left out (--exclude), because it still fails, is skipped, or build.args says so{}",
            needed(problem)
        );
        let suggestions = ["gbsup skip", "gbsup failures"].map(str::to_owned).to_vec();
        return told(Class::NotTried, message, suggestions);
    }
    let candidate = advice::candidate(&problem.lines);
    let mut reasons = Vec::new();
    let mut suggestions = Vec::new();
    let atom = problem.subject.as_deref().unwrap_or_default();
    if let Some(advice::Candidate { package, masks }) = &candidate {
        for mask in masks {
            let (reason, setting) = match mask {
                Mask::Keyword(keyword) => {
                    let line = format!("{} {keyword}", package.atom());
                    let reason =
                        if keyword == "**" { "a missing keyword" } else { &format!("the keyword {keyword}") };
                    (reason.to_owned(), Some(("package.accept_keywords", line)))
                }
                Mask::Entry => {
                    let comment = advice::mask_comment(&problem.lines);
                    let comment = comment.map(|words| format!(" ({words})")).unwrap_or_default();
                    (format!("package.mask{comment}"), Some(("package.unmask", package.atom())))
                }
                Mask::Licence(names) => {
                    let names = names.join(" ");
                    let line = format!("{} {names}", package.atom());
                    (format!("the licence {names}"), Some(("package.license", line)))
                }
                Mask::Other(words) if words == CORRUPTION => (corruption(package, ran), None),
                Mask::Other(words) => (words.clone(), None),
            };
            reasons.push(reason);
            suggestions.extend(setting.map(|(name, line)| parts::setting(name, package, &line, ran)));
        }
        // Half a way out is none.
        if suggestions.len() < masks.len() {
            suggestions.clear();
        }
    }
    if suggestions.is_empty() {
        suggestions.push(parts::look_at(atom));
    }
    if let Some(ebuild) = candidate.as_ref().and_then(|found| undescribed(&found.package, ran)) {
        suggestions.insert(0, parts::manifest(ebuild.subject.as_deref().unwrap_or_default()));
    }
    if candidate.as_ref().is_some_and(advice::Candidate::wants_newer_portage) {
        suggestions.insert(0, "emerge --oneshot --update sys-apps/portage".to_owned());
    }
    let why = if reasons.is_empty() { String::new() } else { format!(" by {}", reasons.join(" and ")) };
    // A version of nines is fetched from its repository at each build (devmanual, "Live ebuilds").
    let live = candidate.as_ref().filter(|found| found.package.is_live());
    let live = live.map(|found| {
        format!(
            "; {} is live: it is built from whatever its authors committed last, and never the same twice",
            found.package
        )
    });
    let message = format!("masked{why}{}{}", needed(problem), live.unwrap_or_default());
    told(Class::Masked, message, suggestions)
}

/// What masks an ebuild that could not be read (`_emerge/depgraph.py`).
const CORRUPTION: &str = "corruption";

/// Why an ebuild could not be read, where that is because of its Manifest.
fn corruption(package: &Cpv, ran: &Ran) -> String {
    match undescribed(package, ran) {
        Some(problem) => format!("{CORRUPTION} ({})", words(problem)),
        None => CORRUPTION.to_owned(),
    }
}

/// What Portage said of the Manifest of this ebuild.
fn undescribed<'a>(package: &Cpv, ran: &'a Ran) -> Option<&'a Problem> {
    let ebuild = format!("/{}.ebuild", package.pf());
    let is_of_it = |problem: &&Problem| {
        problem.kind == ProblemKind::Manifest
            && problem.subject.as_ref().is_some_and(|path| path.ends_with(&ebuild))
    };
    ran.evidence.problems.iter().find(is_of_it)
}

fn missing(problem: &Problem, ran: &Ran) -> Failure {
    let parents = advice::required_by(&problem.lines);
    let suggestions = match parents.last() {
        // The last one is what the world itself asks for.
        Some(wanted) => vec![parts::skip([wanted])],
        None => vec![parts::look_at(problem.subject.as_deref().unwrap_or_default())],
    };
    let why = match problem.subject.as_deref() {
        Some(atom) if unseen::is_unlisted(ran, atom) => unseen::UNLISTED.to_owned(),
        Some(atom) if let Some(new) = unseen::renamed(ran, atom) => format!("{} {new}", unseen::RENAMED),
        _ => "nothing in the repositories satisfies it".to_owned(),
    };
    let message = format!("{why}{}", needed(problem));
    told(Class::MissingPackage, message, suggestions)
}

fn use_change(problem: &Problem, ran: &Ran) -> Failure {
    let changes = advice::use_changes(&problem.lines);
    let line = |change: &advice::UseChange| format!("{} {}", change.package.cp(), change.flags.join(" "));
    let suggestions = match changes.first() {
        Some(change) => vec![parts::setting("package.use", &change.package, &line(change), ran)],
        None => vec![parts::look_at(problem.subject.as_deref().unwrap_or_default())],
    };
    let flags = changes.first().map(|change| change.flags.join(" ")).filter(|flags| flags.len() <= SHORT);
    let flags = flags.map(|flags| format!(" ({flags})")).unwrap_or_default();
    let message = match advice::missing_flags(&problem.lines).filter(|_| changes.is_empty()) {
        Some(missing) => format!("it has no USE flag {missing}{}", needed(problem)),
        None => format!("not there with the USE flags that are wanted{flags}{}", needed(problem)),
    };
    told(Class::UseChange, message, suggestions)
}

fn required_use(problem: &Problem, ran: &Ran) -> Failure {
    let atom = problem.subject.as_deref().unwrap_or_default();
    let constraint = advice::unmet(&problem.lines).unwrap_or("its REQUIRED_USE");
    let change = advice::contradicting(&problem.lines).zip(advice::meeting(constraint));
    let suggestions = match change {
        Some((package, flags)) => {
            let line = format!("{} {}", package.cp(), flags.join(" "));
            vec![parts::setting("package.use", &package, &line, ran)]
        }
        None => vec![parts::look_at(atom)],
    };
    told(Class::RequiredUse, format!("its USE flags do not meet {constraint}"), suggestions)
}

/// Portage's own way out, for one run: the package is built with a flag less and, as the next run finds its
/// flags changed, properly after that. What is built this way is not packaged.
fn circular(problem: &Problem, ran: &Ran) -> Failure {
    let circle = circular::from_text(problem.lines.iter().map(String::as_str));
    let suggestions = match circle.solution(&[]) {
        Some(solution) => {
            let (package, flags) = (&solution.package, solution.flags());
            vec![format!(
                "USE='{flags}' emerge --oneshot --buildpkg-exclude={} {}",
                package.cp(),
                package.atom()
            )]
        }
        None => circle.ways_out(&ran.log),
    };
    told(Class::Circular, circle.complaint(), suggestions)
}

fn slot_conflict(problem: &Problem) -> Failure {
    let slot = problem.subject.as_deref().unwrap_or("a package");
    let requirers = advice::requirers(&problem.lines);
    let by = if requirers.is_empty() { String::new() } else { format!(" by {}", names(&requirers)) };
    // One of them less, and there is no conflict.
    let suggestions = requirers.iter().take(2).map(|package| parts::skip([package])).collect();
    told(Class::SlotConflict, format!("different versions of {slot} are wanted{by}"), suggestions)
}

fn blocker(problem: &Problem) -> Failure {
    let packages = advice::in_brackets(&problem.lines);
    let installed = packages.iter().find(|(_, installed)| *installed);
    let suggestions = match installed {
        Some((package, _)) => vec![format!("emerge --unmerge {}", package.atom())],
        None => packages.iter().take(2).map(|(package, _)| parts::skip([package])).collect(),
    };
    let which = names(packages.iter().map(|(package, _)| package));
    told(Class::Blocker, format!("these cannot be installed together: {which}"), suggestions)
}

/// Only where an operator's own options let Portage propose changes: its lines are ready to be added.
fn autounmask(problem: &Problem, ran: &Ran) -> Failure {
    let (class, name) = match problem.subject.as_deref() {
        Some("USE") => (Class::UseChange, "package.use"),
        Some("keyword") => (Class::Masked, "package.accept_keywords"),
        Some("license") => (Class::Masked, "package.license"),
        _ => (Class::Masked, "package.unmask"),
    };
    let settings = problem.lines.iter().filter_map(|line| {
        let atom = line.split(' ').next()?.trim_start_matches(['<', '>', '=', '~']);
        Some(parts::setting(name, &Cpv::parse(atom.as_bytes())?, line, ran))
    });
    told(class, words(problem), settings.collect())
}

/// The process that resolves died without a result; only a signal in its words is a reason.
fn resolver(problem: &Problem, ran: &Ran) -> Failure {
    let mut failure = told(Class::Unknown, words(problem), vec![ran.command.clone()]);
    // The child cannot tell which signal ended it; that it sent nothing is all that is known then.
    let silent = problem.subject.as_deref().is_some_and(|words| {
        words.ends_with("status 137")
            || words.contains("killed by signal 9")
            || words.contains("without sending")
    });
    if silent && ran.machine.memory().is_some() {
        failure = told(
            Class::OutOfMemory,
            out_of_memory("the process that resolves dependencies", &ran.machine),
            failure.suggestions,
        );
        failure.suggestions.splice(0..0, ran.machine.more_memory());
        failure.evidence.extend(ran.machine.memory());
    } else if problem.subject.as_deref().is_some_and(|words| words.ends_with("status 137")) {
        failure.class = Class::Killed;
    }
    failure
}

/// Its own number says that there was no space; what was measured says where.
fn disk_full(problem: &Problem, ran: &Ran) -> Failure {
    let place = ran.machine.short(&Machine::USES);
    let exception = || problem.subject.clone().filter(|_| problem.is_traceback());
    let message = place.map_or_else(|| exception().unwrap_or_else(|| words(problem)), Place::complaint);
    let suggestions = place.map_or_else(|| vec!["df -h".to_owned()], Place::remedies);
    let may_pass = place.is_none() || ran.machine.can_be_pruned();
    Failure { may_pass, ..told(Class::DiskFull, message, suggestions) }
}

fn plain(problem: &Problem, ran: &Ran) -> Failure {
    let (class, suggestions) = match problem.kind {
        ProblemKind::Fetch | ProblemKind::FetchRestricted => (Class::Fetch, vec![ran.command.clone()]),
        ProblemKind::Verify => return not_as_described(problem),
        ProblemKind::Profile => (Class::ProfileInvalid, PROFILE_COMMANDS.map(str::to_owned).to_vec()),
        ProblemKind::DiskFull => return disk_full(problem, ran),
        ProblemKind::Killed => (Class::Killed, vec![ran.command.clone()]),
        ProblemKind::Binpkg => (Class::BinpkgCorrupt, vec!["emaint --fix binhost".to_owned()]),
        ProblemKind::Unusable => (Class::BinpkgUnusable, problem.remedy.clone()),
        ProblemKind::ReadOnly | ProblemKind::Tmpdir | ProblemKind::Config => {
            (Class::Config, vec!["emerge --info".to_owned()])
        }
        _ => (Class::Unknown, vec![ran.command.clone()]),
    };
    if problem.is_traceback() {
        // The exception is all that Portage says of a defect of its own, or of a file that is none.
        let exception = problem.subject.as_deref().unwrap_or("an exception");
        let look = complaints::of_system(exception).map(|file| format!("ls -ld {}", shell_quote(file)));
        let suggestions = look.into_iter().chain(suggestions).collect();
        return told(class, format!("{} died of {exception}", ran.program), suggestions);
    }
    told(class, words(problem), suggestions)
}

/// A file of a repository that is not what the Manifest of its package says.
pub(super) fn not_as_described(problem: &Problem) -> Failure {
    let file = problem.subject.as_deref().filter(|file| file.starts_with('/'));
    let message = match file.filter(|file| !words(problem).contains(file)) {
        Some(file) => format!("{file} is not what its Manifest says"),
        None => words(problem),
    };
    let own = file.filter(|file| file.ends_with(".ebuild")).map(parts::manifest);
    told(Class::Verify, message, std::iter::once("gbsup sync".to_owned()).chain(own).collect())
}

/// `; app-misc/x-1 needs it`, where Portage says who.
fn needed(problem: &Problem) -> String {
    match advice::required_by(&problem.lines).first() {
        Some(parent) => format!("; {parent} needs it"),
        None => String::new(),
    }
}

/// The marker line without what only marks it.
fn words(problem: &Problem) -> String {
    let line = problem.lines.first().map_or("", String::as_str);
    let line = line.trim_start_matches(['!', '*', ' ']);
    let line = line.strip_prefix("Error: ").or(line.strip_prefix("emerge: ")).unwrap_or(line);
    line.trim_end_matches([':', '.', ' ']).to_owned()
}

/// `a/b-1, a/c-1 and a/d-1`
fn names<'a>(packages: impl IntoIterator<Item = &'a Cpv>) -> String {
    let names: Vec<&str> = packages.into_iter().map(Cpv::as_str).collect();
    match names.as_slice() {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [others @ .., last] => format!("{} and {last}", others.join(", ")),
    }
}

fn told(class: Class, message: impl Into<String>, suggestions: Vec<String>) -> Failure {
    Failure { suggestions, ..Failure::new(class, message) }
}
