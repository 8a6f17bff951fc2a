//! Why one package failed: what its log says, and whose words they are.
//!
//! The log is asked first what Portage itself reports of the build (a file that could not be fetched, a
//! phase that was killed), then for the ebuild's last words. Only what is said nowhere is unknown.

use super::{EXPLANATION, last, memory, paste};
use crate::core::Ran;
use crate::core::failure::{Class, Failure};
use crate::portage::advice;
use crate::portage::buildlog::BuildLog;
use crate::portage::command::shell_quote;
use crate::portage::die::Die;
use crate::portage::fetch::Trouble;
use crate::portage::output::{FailedPackage, How};
use crate::portage::problem::{Problem, ProblemKind};

/// What stopped this package.
pub(super) fn failure(failed: &FailedPackage, ran: &Ran) -> Failure {
    let package = failed.package.to_string();
    let none = BuildLog::default();
    let log = ran.logs.get(&package).unwrap_or(&none);
    // elog repeats at the end of the run what stands in the log.
    let repeated =
        ran.evidence.problems.iter().filter(|problem| problem.package.as_ref() == Some(&failed.package));
    let problems = log.problems.iter().chain(repeated).collect();
    let case = Case { failed, ran, log, problems, die: failed.die.as_ref().or(log.die.as_ref()) };
    let mut failure = case.failure();
    // Where Portage has explained it all, what the build printed before is no evidence.
    if !matches!(failure.class, Class::Collision | Class::Verify | Class::BinpkgCorrupt) {
        failure.evidence.extend(log.evidence.iter().cloned());
    }
    if failure.evidence.is_empty() {
        failure.evidence = last(&ran.evidence.tail);
    }
    let path = failed.log.as_ref().or(case.die.and_then(|die| die.log.as_ref()));
    failure.log = Some(path.map_or_else(|| ran.log.clone(), |path| path.display().to_string()));
    failure.package = Some(package);
    failure
}

/// Everything that is known about one failed package.
struct Case<'a> {
    failed: &'a FailedPackage,
    ran: &'a Ran,
    log: &'a BuildLog,
    /// What Portage itself reports of it.
    problems: Vec<&'a Problem>,
    die: Option<&'a Die>,
}

impl Case<'_> {
    fn failure(&self) -> Failure {
        if let Some(failure) = self.reported() {
            return failure;
        }
        if self.log.no_space {
            return self.no_space();
        }
        let killed_by = self.problem(ProblemKind::Killed).and_then(|problem| problem.subject.as_deref());
        if (killed_by == Some("9") || self.log.killed_program) && memory(self.ran).is_some() {
            return self.out_of_memory();
        }
        if let Some(signal) = killed_by {
            return self.killed(signal);
        }
        match (self.die, self.problem(ProblemKind::UnexpectedExit)) {
            (Some(die), _) => self.died(die),
            (None, Some(problem)) => self.vanished(problem),
            (None, None) => self.unknown(),
        }
    }

    fn build(&self) -> String {
        paste::build(self.failed.package.as_str())
    }

    fn problem(&self, kind: ProblemKind) -> Option<&Problem> {
        self.problems.iter().find(|problem| problem.kind == kind).copied()
    }

    /// What Portage has words of its own for.
    fn reported(&self) -> Option<Failure> {
        self.problems.iter().find_map(|problem| match problem.kind {
            ProblemKind::Verify if problem.subject.as_deref().is_some_and(is_binpkg) => {
                Some(self.damaged(problem))
            }
            ProblemKind::Binpkg => Some(self.damaged(problem)),
            ProblemKind::Verify => Some(self.not_as_described(problem)),
            ProblemKind::Fetch | ProblemKind::FetchRestricted => Some(self.not_fetched(problem)),
            ProblemKind::Collision => Some(self.collision(problem)),
            ProblemKind::DiskFull => Some(self.no_space()),
            _ => None,
        })
    }

    fn not_fetched(&self, problem: &Problem) -> Failure {
        let file = problem.subject.as_deref().unwrap_or("a source file");
        let download = self.log.download.as_ref();
        let why = download.and_then(|download| download.why.as_deref());
        let message = match (problem.kind, why) {
            (ProblemKind::FetchRestricted, _) => format!("{file} has to be downloaded by a person"),
            (_, Some(why)) => format!("{file} could not be downloaded ({why})"),
            _ => format!("{file} could not be downloaded"),
        };
        let mut suggestions = vec![format!("emerge --fetchonly ={}", self.failed.package)];
        if let Some(download) = download {
            // From wherever it is to be had, when the server of the tree stays away.
            let url = shell_quote(&download.url);
            suggestions.push(format!("wget -P \"$(portageq distdir)\" {url}"));
        }
        let may_pass = self.log.fetch == Trouble::Passing && problem.kind == ProblemKind::Fetch;
        let failure = told(Class::Fetch, Some("fetch"), message, words(problem), suggestions);
        Failure { may_pass, ..failure }
    }

    fn not_as_described(&self, problem: &Problem) -> Failure {
        let file = problem.subject.as_deref().unwrap_or("a source file");
        // A newer tree may describe the file that the mirrors have now.
        let suggestions =
            vec![format!("emerge --fetchonly ={}", self.failed.package), "gbsup sync".to_owned()];
        let message = format!("{file} is not what the Manifest says");
        told(Class::Verify, Some("fetch"), message, words(problem), suggestions)
    }

    fn damaged(&self, problem: &Problem) -> Failure {
        let file = problem.subject.as_deref().unwrap_or("its binary package");
        let message = format!("the binary package {file} is damaged");
        let mut suggestions = vec![format!("emerge --oneshot --usepkg=n ={}", self.failed.package)];
        if let Some(file) = &problem.subject {
            // Portage keeps what it found damaged under another name.
            suggestions.push(format!("rm -f {}._checksum_failure_.*", shell_quote(file)));
        }
        told(Class::BinpkgCorrupt, None, message, words(problem), suggestions)
    }

    fn collision(&self, problem: &Problem) -> Failure {
        let owners = advice::owners(&problem.lines);
        let message = match (problem.subject.as_deref(), owners.first()) {
            (Some(file), Some(owner)) => format!("{file} belongs to {owner}"),
            (Some(file), None) => format!("{file} is there already, and no package owns it"),
            (None, _) => "its files collide with each other or with what is installed".to_owned(),
        };
        let mut suggestions = Vec::new();
        if let Some(file) = &problem.subject {
            suggestions.push(format!("portageq owners / {}", shell_quote(file)));
        }
        suggestions.push(paste::skip([&self.failed.package]));
        told(Class::Collision, None, message, words(problem), suggestions)
    }

    fn no_space(&self) -> Failure {
        let phase = self.die.and_then(|die| die.phase.as_deref());
        let words = self.die.and_then(|die| die.message.lines().next());
        let place = self.ran.full.as_deref();
        let mut message = match place {
            Some(place) => format!("no space is left on {place}"),
            None => "no space was left where it was built".to_owned(),
        };
        if let Some(words) = words {
            message += &format!(" ({words})");
        }
        let look = place.map_or_else(|| "df -h".to_owned(), |place| format!("df -h {place}"));
        told(Class::DiskFull, phase, message, Vec::new(), vec![look, self.build()])
    }

    /// Only together with the kernel's word: without it nobody knows that memory had run out.
    fn out_of_memory(&self) -> Failure {
        let killed = self.problem(ProblemKind::Killed);
        let phase = self.die.and_then(|die| die.phase.as_deref()).or(killed.and_then(phase));
        let mut evidence = killed.map(words).unwrap_or_default();
        evidence.extend(memory(self.ran));
        let message = "the kernel killed what it was doing because memory ran out";
        let slowly = format!("MAKEOPTS=-j1 {}", self.build());
        told(Class::OutOfMemory, phase, message, evidence, vec![slowly])
    }

    fn killed(&self, signal: &str) -> Failure {
        let why = if self.ran.oom_kills == Some(0) { ", and not for lack of memory" } else { "" };
        let message = format!("it was killed by signal {signal}{why}");
        let killed = self.problem(ProblemKind::Killed);
        let evidence = killed.map(words).unwrap_or_default();
        told(Class::Killed, killed.and_then(phase), message, evidence, vec![self.build()])
    }

    /// The ebuild's own words: the first line is the sentence, the others stand below it.
    fn died(&self, die: &Die) -> Failure {
        let mut lines = die.message.lines();
        let sentence = lines.next().unwrap_or_default().trim_end_matches('.').to_owned();
        let evidence = lines.filter(|line| !line.is_empty()).map(str::to_owned).collect();
        if die.phase.as_deref() == Some("test") {
            return told(Class::Test, Some("test"), sentence, evidence, vec![self.build(), self.untested()]);
        }
        told(Class::Compile, die.phase.as_deref(), sentence, evidence, vec![self.build()])
    }

    /// Leaves out the tests of this package from now on (package.env in portage(5)).
    fn untested(&self) -> String {
        let package = &self.failed.package;
        let setting = paste::setting("package.env", package, &format!("{} no-test", package.cp()), self.ran);
        format!(
            "mkdir -p /etc/portage/env && echo 'FEATURES=\"-test\"' > /etc/portage/env/no-test && {setting}"
        )
    }

    fn vanished(&self, problem: &Problem) -> Failure {
        let message = "its build ended without a word: the ebuild called exit, or bash could not go on";
        told(Class::Compile, phase(problem), message, words(problem), vec![self.build()])
    }

    fn unknown(&self) -> Failure {
        let message = match &self.failed.how {
            How::Build => "the build failed without a word of the ebuild",
            How::Install => "its files could not be copied to the system",
            How::Postinst => "its files are installed, but its postinst phase failed",
            How::Dropped(_) => "it was not tried",
        };
        told(Class::Unknown, None, message, Vec::new(), vec![self.build()])
    }
}

/// What Portage says of it, without the lines that only space it.
fn words(problem: &Problem) -> Vec<String> {
    let meant = problem.lines.iter().filter(|line| !line.trim_matches([' ', '*']).is_empty());
    meant.take(EXPLANATION).cloned().collect()
}

/// The phase that Portage says was killed or went away: ` * The ebuild phase 'compile' has ...`.
fn phase(problem: &Problem) -> Option<&str> {
    problem.lines.first()?.strip_prefix(" * The ebuild phase '")?.split('\'').next()
}

fn told(
    class: Class,
    phase: Option<&str>,
    message: impl Into<String>,
    evidence: Vec<String>,
    suggestions: Vec<String>,
) -> Failure {
    Failure { phase: phase.map(str::to_owned), evidence, suggestions, ..Failure::new(class, message) }
}

/// Whether a file is a binary package, by its name; one that is being fetched has another ending.
fn is_binpkg(path: &str) -> bool {
    let path = path.strip_suffix(".partial").unwrap_or(path);
    [".gpkg.tar", ".xpak", ".tbz2"].iter().any(|ending| path.ends_with(ending))
}
