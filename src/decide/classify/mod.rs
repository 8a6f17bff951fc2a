//! [`Report`] → failures: which package, which phase, whose words, and what to type.

mod metadata;
mod package;
mod parts;
mod resolver;
mod stalled;
mod unseen;

use crate::model::failure::{Class, Failure};
use crate::model::job::{Job, Package};
use crate::model::machine::Machine;
use crate::model::{Exit, Ran, Report, Step};
use crate::portage::command::shell_word;
use crate::portage::output::advice;
use crate::portage::output::markers::ProblemKind;
use crate::portage::output::plan::Unread;
use crate::portage::output::problem::Problem;
use crate::portage::output::scanner::How;
use crate::portage::output::signs;
use crate::portage::output::sync::{self, Lack, Synced};
use crate::words::and_more;
use parts::{brief, last, out_of_memory};

pub use parts::PROFILE_COMMANDS;

/// What stopped the job; never empty.
#[must_use]
pub fn failures(job: &Job, report: Report) -> Vec<Failure> {
    if let Some(stalled) = &job.stalled {
        return stalled::failures(stalled, job, &report);
    }
    match report {
        Report::Failed(failure) => vec![*failure],
        Report::Ran(ran) | Report::Planned { ran, .. } => ran_failures(job, &ran),
        Report::Synced { ran, synced } => vec![sync_failure(&ran, &synced)],
        Report::Nothing
        | Report::Ready { .. }
        | Report::Circle(_)
        | Report::Rest { .. }
        | Report::Audited { .. }
        | Report::Published(_)
        | Report::Pruned(_) => Vec::new(),
    }
}

/// A list of emerge's that went well and was not understood to the end: nothing is built by half of it.
pub(crate) fn not_understood(ran: &Ran, unread: Option<Unread>) -> Option<Failure> {
    let unread = unread.filter(|_| ran.exit == Exit::Code(0))?;
    Some(parts::failure(ran, Class::Internal, format!("what {} lists {unread}", ran.program)))
}

/// Packages that are installed although their postinst failed. Portage counts them as done.
pub(crate) fn half_done(report: &Report) -> Vec<String> {
    let Report::Ran(ran) = report else { return Vec::new() };
    let failed = ran.evidence.failed.iter().filter(|failed| failed.how == How::Postinst);
    failed.map(|failed| failed.package.to_string()).collect()
}

/// What emerge does not build although it is wanted, and goes on without failing. It has the same words for
/// what is masked and for what needs something that it was told to leave out.
#[must_use]
pub fn passed_over(report: &Report, left_out: bool) -> Vec<String> {
    let or = if left_out { ", or needs what is left out" } else { "" };
    let (Report::Ran(ran) | Report::Planned { ran, .. }) = report else { return Vec::new() };
    let excluded = ran.evidence.problems.iter().any(|problem| advice::is_left_out(&problem.lines));
    let sentence = |problem: &Problem| match (problem.kind, &problem.subject) {
        (ProblemKind::WorldAtomGone, Some(atoms)) => {
            let mut by_reason: Vec<(String, Vec<&str>)> = Vec::new();
            for atom in atoms.split_whitespace() {
                let reason = unseen::why(ran, atom)
                    .unwrap_or_else(|| format!("it is masked or gone from the tree{or}"));
                match by_reason.iter_mut().find(|(known, _)| *known == reason) {
                    Some((_, atoms)) => atoms.push(atom),
                    None => by_reason.push((reason, vec![atom])),
                }
            }
            let sentence = |(reason, atoms): (String, Vec<&str>)| {
                let atoms = atoms.join(" ");
                format!(
                    "not built, because {reason}: {} (see: emerge --pretend --verbose {atoms})",
                    brief(&atoms)
                )
            };
            by_reason.into_iter().map(sentence).collect()
        }
        // It is told what waits for that.
        (ProblemKind::Skipped, _) if excluded => Vec::new(),
        (ProblemKind::Skipped, Some(package)) => vec![format!(
            "an update was skipped because of its dependencies: {package} (see: less {})",
            ran.log
        )],
        (ProblemKind::Skipped, None) => vec![format!(
            "updates were skipped because of a dependency conflict (see: less {})",
            shell_word(&ran.log)
        )],
        _ => Vec::new(),
    };
    ran.evidence.problems.iter().flat_map(sentence).collect()
}

fn sync_failure(ran: &Ran, synced: &Synced) -> Failure {
    let message = match broken_off(ran) {
        Some(failure) if matches!(ran.exit, Exit::NotStarted(_)) => {
            format!("the sync could not be started: {}", failure.message)
        }
        // Of several repositories it says more which ones it left behind.
        Some(failure) if synced.repositories.len() < 2 || synced.failed.is_some() => failure.message,
        _ => synced.sentence(),
    };
    let failed = synced.repositories.iter().filter(|one| one.why.is_some());
    let mut suggestions: Vec<String> = failed.map(sync::Outcome::command).collect();
    if suggestions.is_empty() || synced.failed.is_some() {
        suggestions = vec![ran.command.clone()];
    }
    let mut failure = Failure { suggestions, ..parts::failure(ran, Class::Sync, message) };
    if let Some((why, more)) = ran.machine.too_many_processes(false) {
        failure.message += &format!("; {why}");
        failure.suggestions.insert(0, more);
    }
    failure
}

/// That the main repository is not there although it was synced.
pub(crate) fn lack(lack: &Lack, ran: &Ran) -> Failure {
    let location = lack.repository.location.display();
    let suggestions = if lack.repository.sync_type.is_empty() {
        vec![format!("ls -la {location}"), "portageq repos_config /".to_owned()]
    } else {
        vec![sync::again(&lack.repository.name), format!("ls -la {location}")]
    };
    Failure { suggestions, ..parts::failure(ran, Class::Sync, lack.sentence()) }
}

fn ran_failures(job: &Job, ran: &Ran) -> Vec<Failure> {
    let tried = ran.evidence.failed.iter().filter(|failed| !matches!(failed.how, How::Dropped(_)));
    let mut failures: Vec<Failure> = match broken_off(ran) {
        Some(failure) => vec![amid(failure, job)],
        None => tried.map(|failed| package::failure(failed, ran)).collect(),
    };
    if failures.is_empty() {
        failures.push(match ran.evidence.main_problem() {
            Some(problem) => resolver::failure(problem, ran),
            None => unknown(job, ran),
        });
    }
    if let Some(first) = failures.first_mut() {
        first.evidence.extend(dropped(ran));
        if first.package.is_none() {
            blame_the_machine(first, &ran.machine, ran);
        }
    }
    failures
}

/// Whatever a full file system or a limit did to emerge, nothing else has to be looked for where emerge had no words
/// of its own.
fn blame_the_machine(failure: &mut Failure, machine: &Machine, ran: &Ran) {
    if !matches!(failure.class, Class::Unknown | Class::Killed | Class::Interrupted | Class::Internal) {
        return;
    }
    if let Some(place) = machine.full(&Machine::USES) {
        failure.class = Class::DiskFull;
        failure.message = format!("{} ({})", place.complaint(), failure.message);
        failure.suggestions.splice(0..0, place.remedies());
        failure.may_pass = machine.can_be_pruned();
    } else if failure.class != Class::Interrupted {
        let words = ran.evidence.tail.iter().any(|line| signs::says_no_process(line));
        if let Some((why, more)) = machine.too_many_processes(words) {
            failure.class = Class::TooManyProcesses;
            failure.message = format!("{why} ({})", failure.message);
            failure.suggestions.insert(0, more);
        }
    }
}

/// What went wrong in a step whose commands say nothing about it, when the kernel refused processes meanwhile.
pub(crate) fn refused(failure: &mut Failure, machine: &Machine) {
    let unexplained = [Class::Unknown, Class::Internal, Class::ProfileInvalid, Class::Config];
    if let Some((why, more)) = machine.too_many_processes(false)
        && unexplained.contains(&failure.class)
    {
        failure.class = Class::TooManyProcesses;
        failure.message = format!("{why} ({})", failure.message);
        failure.suggestions = vec![more];
    }
}

/// The command did not come to an end of its own.
fn broken_off(ran: &Ran) -> Option<Failure> {
    /// The signals by which a process is asked to end: HUP, INT, TERM.
    const ASKED: [i32; 3] = [1, 2, 15];
    let program = &ran.program;
    let mut evidence = last(&ran.evidence.tail);
    let mut suggestions = Vec::new();
    let exception = || ran.evidence.exception().map(|problem| resolver::failure(problem, ran));
    let (class, message) = match &ran.exit {
        Exit::NotStarted(why) => (Class::Internal, why.clone()),
        Exit::Signal(9) if ran.machine.memory().is_some() => {
            evidence.extend(ran.machine.memory());
            suggestions.extend(ran.machine.more_memory());
            (Class::OutOfMemory, out_of_memory(program, &ran.machine))
        }
        // Portage's event loop ends itself so when one of its callbacks fails.
        Exit::Signal(number) if ASKED.contains(number) => match exception() {
            Some(failure) => return Some(failure),
            None => stopped(program, *number),
        },
        Exit::Signal(number) => (Class::Killed, format!("{program} was killed by signal {number}")),
        // Portage winds down and says so.
        Exit::Code(_) => {
            let mut problems = ran.evidence.problems.iter();
            let told = problems.find(|problem| problem.kind == ProblemKind::Interrupted)?;
            let signal = told.subject.as_ref()?.parse().ok()?;
            match exception() {
                Some(failure) => return Some(failure),
                None => stopped(program, signal),
            }
        }
    };
    // Nothing has to be repaired, or nothing is known: there is only to go on.
    Some(Failure { evidence, suggestions, ..parts::failure(ran, class, message) })
}

/// An end that is about no package, with what was in work by then and what had failed before: one of them may be why.
fn amid(mut failure: Failure, job: &Job) -> Failure {
    let shown = |(name, package): (&String, &Package)| match package.phase_in_words() {
        Some(phase) => format!("{name} ({phase})"),
        None => name.clone(),
    };
    if !job.packages.is_empty() {
        let more = job.packages.len().saturating_sub(NAMED);
        let named = job.packages.iter().take(NAMED).map(shown).collect::<Vec<_>>().join(", ");
        failure.message += &format!("; in work was {named}{}", and_more(more));
    }
    failure.evidence.extend(job.failed.keys().map(|name| format!("failed before that: {name}")));
    failure
}

/// So many packages in work are named in a sentence.
const NAMED: usize = 3;

fn stopped(program: &str, signal: i32) -> (Class, String) {
    (Class::Interrupted, format!("{program} was told to stop, and not by gbsup (signal {signal})"))
}

/// Somebody ended what did nothing but wait for a lock; the sentence says for whose. The wait itself is no
/// failure: it is over when the other Portage is.
pub fn while_locked(failures: &mut [Failure], sentence: &str) {
    for failure in failures {
        if matches!(failure.class, Class::Interrupted | Class::Killed) && failure.package.is_none() {
            failure.class = Class::PortageLocked;
            failure.evidence.push(sentence.to_owned());
            failure.suggestions = vec!["ps -e -o pid,lstart,args".to_owned()];
            failure.message += " while it waited for another Portage";
        }
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

fn unknown(job: &Job, ran: &Ran) -> Failure {
    let code = match ran.exit {
        Exit::Code(code) => code,
        _ => 1,
    };
    let message =
        format!("{} ended with code {code} in {}, for a reason not recognised", ran.program, job.work.step());
    let mut failure = parts::failure(ran, Class::Unknown, message);
    if job.work.step() == Step::Preflight {
        failure.suggestions.clear();
    }
    failure
}
