//! [`Report`] → failures: which package, which phase, whose words, and what to type.

use super::failure::{Class, Failure};
use super::job::Job;
use super::{Exit, Ran, Report, Step};
use crate::portage::die::Die;
use crate::portage::fetch::Trouble;
use crate::portage::output::{FailedPackage, How};
use crate::portage::problem::{Problem, ProblemKind};
use crate::portage::sync;

/// Lines of output shown where nothing better is known.
const LAST_LINES: usize = 15;
/// Lines of a resolver's explanation shown; the log has the rest.
const RESOLVER_LINES: usize = 40;

/// What stopped the job; never empty.
#[must_use]
pub fn failures(job: &Job, report: Report) -> Vec<Failure> {
    match report {
        Report::Failed(failure) => vec![*failure],
        Report::Ran(ran) | Report::Planned { ran, .. } => ran_failures(job, &ran),
        Report::Synced { ran, outcome, .. } => vec![sync_failure(&ran, outcome)],
        Report::Nothing | Report::Ready { .. } | Report::Circle(_) => Vec::new(),
    }
}

/// Packages that are installed although their postinst failed. Portage counts them as done.
#[must_use]
pub fn half_done(report: &Report) -> Vec<String> {
    let Report::Ran(ran) = report else { return Vec::new() };
    let failed = ran.evidence.failed.iter().filter(|failed| failed.how == How::Postinst);
    failed.map(|failed| failed.package.to_string()).collect()
}

/// What emerge does not build although it is wanted, and goes on without failing.
#[must_use]
pub fn passed_over(report: &Report) -> Vec<String> {
    let (Report::Ran(ran) | Report::Planned { ran, .. }) = report else { return Vec::new() };
    let sentence = |problem: &Problem| match (problem.kind, &problem.subject) {
        (ProblemKind::WorldAtomGone, Some(atoms)) => Some(format!(
            "not built, because it is masked or gone from the tree: {atoms} (see: emerge --pretend --verbose {atoms})"
        )),
        (ProblemKind::Skipped, Some(package)) => Some(format!(
            "an update was skipped because of its dependencies: {package} (see: less {})",
            ran.log
        )),
        (ProblemKind::Skipped, None) => {
            Some(format!("updates were skipped because of a dependency conflict (see: less {})", ran.log))
        }
        _ => None,
    };
    ran.evidence.problems.iter().filter_map(sentence).collect()
}

fn sync_failure(ran: &Ran, outcome: sync::Outcome) -> Failure {
    let message = match (broken_off(ran), outcome) {
        (Some(failure), _) => failure.message,
        (None, sync::Outcome::Failed(why)) => format!("the sync failed: {why}"),
        (None, _) => "the sync failed".to_owned(),
    };
    let evidence = last(&ran.evidence.tail, LAST_LINES);
    let suggestions = vec![ran.command.clone()];
    Failure { evidence, log: Some(ran.log.clone()), suggestions, ..Failure::new(Class::Sync, message) }
}

fn ran_failures(job: &Job, ran: &Ran) -> Vec<Failure> {
    let broken_off = broken_off(ran);
    let tried = ran.evidence.failed.iter().filter(|failed| !matches!(failed.how, How::Dropped(_)));
    let mut failures: Vec<Failure> = match broken_off {
        Some(failure) => vec![failure],
        None => tried.map(|failed| package_failure(failed, ran)).collect(),
    };
    if failures.is_empty() {
        failures.push(match ran.evidence.main_problem() {
            Some(problem) => resolver_failure(problem, ran),
            None => unknown(job, ran),
        });
    }
    if let Some(first) = failures.first_mut() {
        first.evidence.extend(dropped(ran));
        if let Some(path) = &ran.full {
            first.class = Class::DiskFull;
            first.message = format!("no space is left on {path} ({})", first.message);
            first.suggestions.insert(0, format!("df -h {path}"));
        }
    }
    failures
}

/// The command did not come to an end of its own.
fn broken_off(ran: &Ran) -> Option<Failure> {
    let (class, message) = match &ran.exit {
        Exit::NotStarted(why) => (Class::Internal, why.clone()),
        Exit::Signal(number) => {
            let hint = if *number == 9 { "; when nobody did that, memory had run out" } else { "" };
            (Class::Killed, format!("{} was killed by signal {number}{hint}", ran.program))
        }
        Exit::Code(_) => return None,
    };
    let evidence = last(&ran.evidence.tail, LAST_LINES);
    Some(Failure { evidence, log: Some(ran.log.clone()), ..Failure::new(class, message) })
}

fn package_failure(failed: &FailedPackage, ran: &Ran) -> Failure {
    let package = failed.package.to_string();
    let build_log = ran.logs.get(&package);
    let die = failed.die.as_ref().or_else(|| build_log.and_then(|log| log.die.as_ref()));
    let fetch = build_log.and_then(|log| log.problems.iter().find(|problem| is_fetch(problem.kind)));
    let log = failed.log.as_ref().or(die.and_then(|die| die.log.as_ref()));
    let log = log.map_or_else(|| ran.log.clone(), |log| log.display().to_string());
    let mut failure = match (fetch, die) {
        (Some(problem), _) => fetch_failure(problem, build_log.map(|log| log.fetch).unwrap_or_default()),
        (None, Some(die)) => die_failure(die),
        (None, None) => Failure::new(Class::Unknown, where_it_failed(&failed.how)),
    };
    failure.evidence.extend(build_log.into_iter().flat_map(|log| log.evidence.iter().cloned()));
    failure.log = Some(log);
    failure.suggestions.push(format!("emerge --oneshot ={package}"));
    failure.package = Some(package);
    failure
}

/// The ebuild's own words: the first line is the sentence, the others stand below it.
fn die_failure(die: &Die) -> Failure {
    let mut lines = die.message.lines();
    let sentence = lines.next().unwrap_or_default().trim_end_matches('.').to_owned();
    let evidence = lines.filter(|line| !line.is_empty()).map(str::to_owned).collect();
    Failure { phase: die.phase.clone(), evidence, ..Failure::new(Class::Compile, sentence) }
}

fn is_fetch(kind: ProblemKind) -> bool {
    matches!(kind, ProblemKind::Fetch | ProblemKind::FetchRestricted | ProblemKind::Verify)
}

fn fetch_failure(problem: &Problem, trouble: Trouble) -> Failure {
    let file = problem.subject.as_deref().unwrap_or("a source file");
    let message = match problem.kind {
        ProblemKind::Verify => format!("{file} is not what the Manifest says"),
        ProblemKind::FetchRestricted => format!("{file} has to be downloaded by a person"),
        _ => format!("{file} could not be downloaded"),
    };
    let evidence = problem.lines.clone();
    let may_pass = trouble == Trouble::Passing && problem.kind == ProblemKind::Fetch;
    Failure { phase: Some("fetch".to_owned()), evidence, may_pass, ..Failure::new(Class::Fetch, message) }
}

fn where_it_failed(how: &How) -> &'static str {
    match how {
        How::Build => "the build failed without a word of the ebuild",
        How::Install => "its files could not be copied to the system",
        How::Postinst => "its files are installed, but its postinst phase failed",
        How::Dropped(_) => "it was not tried",
    }
}

/// What keep-going left out because of the packages that failed.
fn dropped(ran: &Ran) -> impl Iterator<Item = String> {
    ran.evidence.failed.iter().filter_map(|failed| match &failed.how {
        How::Dropped(Some(why)) => Some(format!("not tried: {} ({why})", failed.package)),
        How::Dropped(None) => Some(format!("not tried: {}", failed.package)),
        _ => None,
    })
}

fn resolver_failure(problem: &Problem, ran: &Ran) -> Failure {
    let (class, suggestions) = class_of(problem);
    let message = match (&problem.subject, problem.kind) {
        (Some(atom), ProblemKind::Masked) => format!("everything that satisfies {atom} is masked"),
        (Some(atom), ProblemKind::Missing) => format!("nothing in the repositories satisfies {atom}"),
        (Some(atom), ProblemKind::UseChange) => format!("{atom} is wanted with other USE flags than are set"),
        (Some(atom), ProblemKind::RequiredUse) => {
            format!("the USE flags of {atom} contradict its REQUIRED_USE")
        }
        (_, ProblemKind::Circular) => "packages need each other to be built".to_owned(),
        _ => words(problem),
    };
    let subject = matches!(
        problem.kind,
        ProblemKind::Masked | ProblemKind::Missing | ProblemKind::UseChange | ProblemKind::RequiredUse
    );
    Failure {
        package: problem.subject.clone().filter(|_| subject),
        evidence: problem
            .lines
            .iter()
            .filter(|line| !line.trim().is_empty())
            .take(RESOLVER_LINES)
            .cloned()
            .collect(),
        log: Some(ran.log.clone()),
        suggestions,
        ..Failure::new(class, message)
    }
}

/// The marker line without what only marks it.
fn words(problem: &Problem) -> String {
    let line = problem.lines.first().map_or("", String::as_str);
    let line = line.trim_start_matches(['!', '*', ' ']);
    let line = line.strip_prefix("Error: ").or(line.strip_prefix("emerge: ")).unwrap_or(line);
    line.trim_end_matches([':', '.', ' ']).to_owned()
}

fn class_of(problem: &Problem) -> (Class, Vec<String>) {
    let atom = problem.subject.as_deref().unwrap_or_default();
    let plain = |class| (class, Vec::new());
    match problem.kind {
        ProblemKind::Circular => plain(Class::Circular),
        ProblemKind::SlotConflict => plain(Class::SlotConflict),
        ProblemKind::Blocker => plain(Class::Blocker),
        ProblemKind::Masked => (Class::Masked, vec![format!("emerge --pretend --verbose '{atom}'")]),
        ProblemKind::Missing => plain(Class::MissingPackage),
        ProblemKind::UseChange | ProblemKind::Autounmask => plain(Class::UseChange),
        ProblemKind::RequiredUse => plain(Class::RequiredUse),
        ProblemKind::WorldAtomGone => plain(Class::WorldAtomGone),
        ProblemKind::Fetch | ProblemKind::FetchRestricted | ProblemKind::Verify => plain(Class::Fetch),
        ProblemKind::Profile => (Class::ProfileInvalid, vec!["eselect profile list".to_owned()]),
        ProblemKind::DiskFull => plain(Class::DiskFull),
        ProblemKind::Killed | ProblemKind::Interrupted => plain(Class::Killed),
        ProblemKind::ReadOnly | ProblemKind::Tmpdir | ProblemKind::Config => plain(Class::Config),
        _ => plain(Class::Unknown),
    }
}

fn unknown(job: &Job, ran: &Ran) -> Failure {
    let code = match ran.exit {
        Exit::Code(code) => code,
        _ => 1,
    };
    let message = format!(
        "{} ended with code {code} in {}, for a reason not recognised",
        ran.program,
        job.work.step().name()
    );
    let suggestions = if job.work.step() == Step::Preflight { Vec::new() } else { vec![ran.command.clone()] };
    Failure {
        evidence: last(&ran.evidence.tail, LAST_LINES),
        log: Some(ran.log.clone()),
        suggestions,
        ..Failure::new(Class::Unknown, message)
    }
}

fn last(lines: &[String], count: usize) -> Vec<String> {
    let meant: Vec<&String> = lines.iter().filter(|line| !line.trim().is_empty()).collect();
    meant[meant.len().saturating_sub(count)..].iter().map(|line| (*line).clone()).collect()
}
