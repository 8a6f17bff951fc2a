//! Why one package failed: what its log says, and whose words they are.
//!
//! The log is asked first what Portage itself reports of the build (a file that could not be fetched, a
//! phase that was killed), then for the ebuild's last words. Only what is said nowhere is unknown.

use super::parts::{self, EXPLANATION};
use super::{metadata, resolver};
use crate::model::Ran;
use crate::model::failure::{Class, Failure};
use crate::model::machine::{Machine, Place, Purpose};
use crate::portage::command::shell_word;
use crate::portage::output::advice;
use crate::portage::output::buildlog::BuildLog;
use crate::portage::output::die::{COMPLETE_LOG, Die, TEMPORARY, find};
use crate::portage::output::fetch::Trouble;
use crate::portage::output::markers::ProblemKind;
use crate::portage::output::problem::Problem;
use crate::portage::output::scanner::{FailedPackage, How};

/// What stopped this package.
pub(super) fn failure(failed: &FailedPackage, ran: &Ran) -> Failure {
    let package = failed.package.to_string();
    let none = BuildLog::default();
    let log = ran.logs.get(&package).unwrap_or(&none);
    // elog repeats at the end of the run what stands in the log; what is wrong with the ebuild itself stands in no log.
    let repeated = ran.evidence.problems.iter().filter(|problem| {
        problem.package.as_ref() == Some(&failed.package) || is_of_directory(problem, failed.package.cp())
    });
    let problems = log.problems.iter().chain(repeated).collect();
    let case = Case { failed, ran, log, problems, die: failed.die.as_ref().or(log.die.as_ref()) };
    let mut failure = case.failure();
    // Where Portage has explained it all, what the build printed before is no evidence.
    if !matches!(
        failure.class,
        Class::Collision | Class::Verify | Class::BinpkgCorrupt | Class::BinpkgUnusable
    ) {
        failure.evidence.extend(log.evidence.iter().cloned());
    }
    if failure.evidence.is_empty() {
        failure.evidence = mentions(&package, ran);
    }
    let path = failed.log.as_ref().or(case.die.and_then(|die| die.log.as_ref()));
    failure.log = Some(path.map_or_else(|| ran.log.clone(), |path| path.display().to_string()));
    if let Some(log) = &failure.log {
        failure.evidence.iter_mut().for_each(|line| name_the_log(line, log));
    }
    failure.package = Some(package);
    failure
}

/// Puts the log that is there in the place of one that Portage has deleted.
fn name_the_log(line: &mut String, log: &str) {
    let Some(at) = find(line.as_bytes(), COMPLETE_LOG) else { return };
    let path = &line.as_bytes()[at + COMPLETE_LOG.len()..];
    if path.strip_suffix(b"'.").is_some_and(|path| path.ends_with(TEMPORARY)) {
        line.truncate(at + COMPLETE_LOG.len());
        line.push_str(log);
        line.push_str("'.");
    }
}

/// What emerge printed about a package whose own log says nothing; what it printed about others is no evidence.
fn mentions(package: &str, ran: &Ran) -> Vec<String> {
    let names = |line: &&String| {
        line.match_indices(package).any(|(at, name)| {
            // `a/b-1` is no part of `a/b-1.2`.
            !line[at + name.len()..].starts_with(|c: char| c.is_ascii_alphanumeric() || ".-_".contains(c))
        })
    };
    let mut lines: Vec<String> = ran.evidence.tail.iter().filter(names).take(EXPLANATION).cloned().collect();
    if lines.is_empty() {
        lines.push(format!("nothing about {package} was written down"));
    }
    lines
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
        if let Some(place) = self.lacking_room() {
            return self.no_space(Some(place));
        }
        if let Some((why, more)) = self.machine().too_many_processes(self.log.signs.no_process)
            && self.is_for_want_of_processes()
        {
            return self.refused(why, more);
        }
        if let Some(failure) = self.reported() {
            return failure;
        }
        let killed_by = self.problem(ProblemKind::Killed).and_then(|problem| problem.subject.as_deref());
        let killed = killed_by == Some("9") || self.log.signs.killed_program;
        if killed && self.machine().memory().is_some() {
            return self.out_of_memory();
        }
        if let Some(signal) = killed_by {
            return self.killed(signal);
        }
        if let Some(failure) = self.unreachable() {
            return failure;
        }
        match (self.die, self.problem(ProblemKind::UnexpectedExit)) {
            (Some(die), _) => self.died(die),
            (None, Some(problem)) => self.vanished(problem),
            (None, None) => self.unknown(),
        }
    }

    /// What the machine had to do with it.
    fn machine(&self) -> &Machine {
        self.ran.moments.get(self.failed.package.as_str()).unwrap_or(&self.ran.machine)
    }

    /// The phase that died, was killed or went away.
    fn phase(&self) -> Option<&str> {
        let killed = || self.problem(ProblemKind::Killed).or(self.problem(ProblemKind::UnexpectedExit));
        self.die.and_then(|die| die.phase.as_deref()).or_else(|| killed().and_then(phase))
    }

    /// Where it writes, the likeliest place first.
    fn uses(&self) -> &'static [Purpose] {
        use Purpose::{Build, Logs, Packages, Root, Scratch, Sources};
        if self.is_unfetched() {
            return &[Sources, Scratch];
        }
        match (&self.failed.how, self.phase()) {
            (How::Build, Some("package")) => &[Packages, Build, Logs, Scratch, Root],
            (How::Build, _) => &[Build, Scratch, Logs, Root, Packages],
            (How::Install | How::Postinst | How::Dropped(_), _) => &[Root, Build, Logs, Scratch],
        }
    }

    fn is_unfetched(&self) -> bool {
        self.problem(ProblemKind::Fetch).is_some()
    }

    /// The full file system that it failed for. Words alone are not believed but of Portage, which has measured
    /// before it fetches, and which alone writes in the phase that packages.
    fn lacking_room(&self) -> Option<&Place> {
        let machine = self.machine();
        let measured = self.problem(ProblemKind::DiskFull).is_some();
        if measured {
            return machine.short(&[Purpose::Sources]).or_else(|| machine.place(Purpose::Sources));
        }
        if self.log.signs.no_space {
            let packaging = || machine.place(Purpose::Packages).filter(|_| self.phase() == Some("package"));
            return machine.short(self.uses()).or_else(packaging);
        }
        let explained = [ProblemKind::Collision, ProblemKind::Verify, ProblemKind::FetchRestricted];
        let explained = explained.iter().any(|kind| self.problem(*kind).is_some());
        machine.full(self.uses()).filter(|_| !explained && !self.log.signs.own_error)
    }

    /// Whether it may have failed for a limit of processes that was reached meanwhile.
    fn is_for_want_of_processes(&self) -> bool {
        let explained = [ProblemKind::Collision, ProblemKind::Verify, ProblemKind::FetchRestricted];
        let explained = explained.iter().any(|kind| self.problem(*kind).is_some());
        let answered = self.is_unfetched() && self.log.download.as_ref().is_some_and(|it| it.why.is_some());
        self.log.signs.no_process || !(explained || answered || self.log.signs.own_error)
    }

    fn build(&self) -> String {
        parts::build(self.failed.package.as_str())
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
            ProblemKind::Unusable => Some(unusable(problem)),
            ProblemKind::Verify if is_of_directory(problem, self.failed.package.cp()) => {
                let failure = resolver::not_as_described(problem);
                Some(Failure { evidence: words(problem), ..failure })
            }
            ProblemKind::Verify => Some(self.not_as_described(problem)),
            ProblemKind::Fetch | ProblemKind::FetchRestricted => Some(self.not_fetched(problem)),
            ProblemKind::Collision => Some(self.collision(problem)),
            ProblemKind::DiskFull => Some(self.no_space(None)),
            _ => None,
        })
    }

    fn not_fetched(&self, problem: &Problem) -> Failure {
        let file = problem.subject.as_deref().unwrap_or("a source file");
        let download = self.log.download.as_ref();
        let why = download.and_then(|download| download.why.as_deref());
        let message = match (problem.kind, why) {
            (ProblemKind::FetchRestricted, _) => {
                let asked = asked(problem).map(|words| format!(": {words}")).unwrap_or_default();
                format!("a person has to download what it is built from{asked}")
            }
            (_, Some(why)) => format!("{file} could not be downloaded ({why})"),
            _ => format!("{file} could not be downloaded"),
        };
        let mut suggestions = vec![format!("emerge --fetchonly ={}", self.failed.package)];
        if let Some(download) = download {
            // From wherever it is to be had, when the server of the tree stays away.
            let url = shell_word(&download.url);
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
            suggestions.push(format!("rm -f {}._checksum_failure_.*", shell_word(file)));
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
            suggestions.push(format!("portageq owners / {}", shell_word(file)));
        }
        suggestions.push(parts::skip([&self.failed.package]));
        told(Class::Collision, None, message, words(problem), suggestions)
    }

    fn no_space(&self, place: Option<&Place>) -> Failure {
        let mut message =
            place.map_or_else(|| "no space was left for what it fetches".to_owned(), Place::complaint);
        if let Some(words) = self.die.and_then(spoken) {
            message += &format!(" ({words})");
        }
        let mut suggestions = place.map_or_else(|| vec!["df -h".to_owned()], Place::remedies);
        suggestions.push(self.build());
        let phase = self.phase().or_else(|| self.is_unfetched().then_some("fetch"));
        let may_pass = place.is_none_or(|place| place.prunable) || self.machine().can_be_pruned();
        Failure { may_pass, ..told(Class::DiskFull, phase, message, Vec::new(), suggestions) }
    }

    /// The kernel refused a process while it was in work.
    fn refused(&self, why: String, more: String) -> Failure {
        let words = self.die.and_then(spoken).map(|words| format!(" ({words})")).unwrap_or_default();
        let suggestions = vec![more, self.build()];
        told(Class::TooManyProcesses, self.phase(), why + &words, Vec::new(), suggestions)
    }

    /// A phase that may use the network did not reach it: nothing that the package can do anything about.
    fn unreachable(&self) -> Option<Failure> {
        let words = self.log.signs.unreachable.as_deref()?;
        let phase = self.die?.phase.as_deref()?;
        (phase == "unpack" || self.log.may_fetch).then(|| {
            let suggestions = vec![self.build()];
            let message = format!("the network could not be reached: {words}");
            let said = self.die.and_then(spoken).map(str::to_owned).into_iter().collect();
            Failure { may_pass: true, ..told(Class::Fetch, Some(phase), message, said, suggestions) }
        })
    }

    /// Only together with the kernel's word: without it nobody knows that memory had run out.
    fn out_of_memory(&self) -> Failure {
        let killed = self.problem(ProblemKind::Killed);
        let mut evidence = killed.map(words).unwrap_or_default();
        evidence.extend(self.machine().memory());
        evidence.extend(self.machine().memory_in_words());
        let message = "the kernel killed what it was doing because memory ran out";
        let mut suggestions = vec![format!("MAKEOPTS=-j1 {}", self.build())];
        suggestions.extend(self.machine().more_memory());
        told(Class::OutOfMemory, self.phase(), message, evidence, suggestions)
    }

    fn killed(&self, signal: &str) -> Failure {
        let why = if self.machine().oom_kills == Some(0) { ", and not for lack of memory" } else { "" };
        let message = format!("it was killed by signal {signal}{why}");
        let killed = self.problem(ProblemKind::Killed);
        let evidence = killed.map(words).unwrap_or_default();
        told(Class::Killed, killed.and_then(phase), message, evidence, vec![self.build()])
    }

    /// The ebuild's own words: the first line is the sentence, the others stand below it. Where it has none, or only that something
    /// failed, what was printed before says the rest.
    fn died(&self, die: &Die) -> Failure {
        let said = spoken(die).map(|said| said.trim_end_matches([' ', '.', '!']));
        let sentence = match (said, self.log.cause.as_deref()) {
            (Some(said), Some(cause)) if passes_on(said) => format!("{said}: {cause}"),
            (Some(said), _) => said.to_owned(),
            (None, cause) => cause.or(self.log.last_words()).unwrap_or("it died without a word").to_owned(),
        };
        let sentence = sentence.trim_end_matches('.').to_owned();
        let lines = die.message.lines().filter(|line| !line.is_empty()).skip(1);
        let evidence = lines.map(str::to_owned).collect();
        if die.phase.as_deref() == Some(metadata::PHASE) {
            return Failure { evidence, ..metadata::unreadable(&self.failed.package, &sentence, self.ran) };
        }
        if die.phase.as_deref() == Some("test") {
            return told(Class::Test, Some("test"), sentence, evidence, vec![self.build(), self.untested()]);
        }
        told(Class::Compile, die.phase.as_deref(), sentence, evidence, vec![self.build()])
    }

    /// Leaves out the tests of this package from now on (package.env in portage(5)).
    fn untested(&self) -> String {
        let package = &self.failed.package;
        let setting = parts::setting("package.env", package, &format!("{} no-test", package.cp()), self.ran);
        format!(
            "mkdir -p /etc/portage/env && echo 'FEATURES=\"-test\"' > /etc/portage/env/no-test && {setting}"
        )
    }

    fn vanished(&self, problem: &Problem) -> Failure {
        let message = format!(
            "its build ended without a word: the ebuild called exit, or bash could not go on{}",
            self.before()
        );
        told(Class::Compile, phase(problem), message, words(problem), vec![self.build()])
    }

    /// What its log has before an end without a word.
    fn before(&self) -> String {
        let words = self.log.cause.as_deref().or(self.log.last_words());
        words.map(|words| format!("; before that: {words}")).unwrap_or_default()
    }

    /// Nothing is said where what ran before the ebuild ended it (`bashrc` in portage(5)).
    fn unknown(&self) -> Failure {
        if self.failed.how == How::Build
            && self.failed.log.is_none()
            && self.ran.single_files.iter().any(|file| file == BASHRC)
        {
            let message =
                "the build failed without a word, and /etc/portage/bashrc runs before each of its phases";
            let suggestions = vec!["less /etc/portage/bashrc".to_owned(), self.build()];
            return told(Class::Unknown, None, message, Vec::new(), suggestions);
        }
        let message = match &self.failed.how {
            How::Build => format!("the build failed without a word of the ebuild{}", self.before()),
            How::Install => "its files could not be copied to the system".to_owned(),
            How::Postinst => "its files are installed, but its postinst phase failed".to_owned(),
            How::Dropped(_) => "it was not tried".to_owned(),
        };
        let phase = (self.failed.how == How::Postinst).then_some("postinst");
        told(Class::Unknown, phase, message, Vec::new(), vec![self.build()])
    }
}

/// Whether a file of the directory of a package is not what its Manifest says.
fn is_of_directory(problem: &Problem, cp: &str) -> bool {
    let directory = format!("/{cp}/");
    let file = problem.subject.as_deref().filter(|_| problem.kind == ProblemKind::Verify);
    file.is_some_and(|file| file.starts_with('/') && !is_binpkg(file) && file.contains(&directory))
}

/// The first line of an ebuild's last words, where it has any.
fn spoken(die: &Die) -> Option<&str> {
    die.message.lines().find(|line| !line.trim().is_empty()).filter(|line| *line != NO_WORDS)
}

/// Whether an ebuild says no more than that something failed, as helpers and eclasses do.
fn passes_on(words: &str) -> bool {
    let low = words.to_ascii_lowercase();
    !low.contains(": ")
        && ["fail", "requirements not met", "incorrect kernel configuration"]
            .iter()
            .any(|word| low.contains(word))
}

/// Portage's own name for it among its settings.
const BASHRC: &str = "bashrc";

/// What `die` says when it is given nothing to say.
const NO_WORDS: &str = "(no error message)";

/// The first line says why, and Portage's words follow.
fn unusable(problem: &Problem) -> Failure {
    let words = words(problem);
    let (message, evidence) =
        words.split_first().map_or_else(Default::default, |(message, rest)| (message.clone(), rest.to_vec()));
    told(Class::BinpkgUnusable, None, message, evidence, problem.remedy.clone())
}

/// What Portage says of it, without the lines that only space it.
fn words(problem: &Problem) -> Vec<String> {
    let meant = problem.lines.iter().filter(|line| !line.trim_matches([' ', '*']).is_empty());
    meant.take(EXPLANATION).cloned().collect()
}

/// What `pkg_nofetch` asks for; a line that announces others with the first of them.
fn asked(problem: &Problem) -> Option<String> {
    let lines = problem.lines.iter().filter_map(|line| line.strip_prefix(" * ")).map(str::trim);
    let mut lines =
        lines.filter(|line| !line.is_empty() && !HEADER.iter().any(|name| line.starts_with(name)));
    let first = lines.next()?;
    let announced = lines.next().filter(|_| first.ends_with(':'));
    Some(announced.map_or_else(|| first.to_owned(), |announced| format!("{first} {announced}")))
}

/// What Portage writes at the head of a log (`bin/phase-functions.sh`).
const HEADER: &[&str] = &["Package: ", "Repository: ", "Maintainer: ", "Upstream: ", "USE:", "FEATURES:"];

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
