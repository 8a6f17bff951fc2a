//! Which package a file belongs to that a build has just handed on. icecream's scheduler is told the end of its path alone; whoever
//! asked waits for the answer meanwhile, with the file among its arguments, in the directory of its build. A client of distcc tells the number of
//! its process, and is in that directory as well.

use std::path::{Component, Path, PathBuf};
use std::{fs, io};

use nix::unistd::{Gid, Uid, setfsgid, setfsuid};

use crate::beneath::PORTAGE_ID;
use crate::icecream::log::told_of;
use crate::portage::files::builddir::package_at;
use crate::portage::names::cpv::Cpv;

/// Nothing when nobody is found who could have asked, or there are several of whom it may have been any.
pub(super) fn package(file: &str) -> Option<Cpv> {
    one(pids().flat_map(|pid| {
        let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        asked_by(&arguments, file, || place(pid))
    }))
}

/// The package that a client of distcc compiles for, by the number that its process has for itself; where builds have numbers of their own, that
/// may be one of several.
pub(super) fn package_of(client: u32) -> Option<Cpv> {
    let all = pids().map(|pid| (pid, numbers(pid)));
    of_client(client, all, |pid| place(pid).and_then(|place| package_at(place.to_str()?)))
}

/// The package of all processes that have this number for themselves; one that has it here may be another than the client.
fn of_client(
    client: u32,
    all: impl Iterator<Item = (u32, Vec<u32>)>,
    package: impl Fn(u32) -> Option<Cpv>,
) -> Option<Cpv> {
    one(all.filter(|(_, numbers)| numbers.last() == Some(&client)).map(|(pid, _)| package(pid)))
}

/// The processes that there are.
fn pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// The numbers of a process, from here inwards; see proc_pid_status(5).
fn numbers(pid: u32) -> Vec<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap_or_default();
    numbers.split_whitespace().filter_map(|number| number.parse().ok()).collect()
}

/// What all are, when they are all the same.
fn one(mut found: impl Iterator<Item = Option<Cpv>>) -> Option<Cpv> {
    let first = found.next()??;
    found.all(|next| next.as_ref() == Some(&first)).then_some(first)
}

/// The package of a process with these arguments, for each that may be the file; nothing of one whose package is not known.
fn asked_by(arguments: &[u8], file: &str, place: impl Fn() -> Option<PathBuf>) -> Vec<Option<Cpv>> {
    let name = |path: &str| path.rsplit('/').next().map(str::to_owned);
    let words = arguments.split(|byte| *byte == 0).skip(1).filter_map(|word| str::from_utf8(word).ok());
    let same = words.filter(|word| name(word) == name(file));
    let belongs = |word: &str| {
        let place = place()?;
        let path = absolute(&place, word);
        let path = path.to_str().filter(|path| told_of(path) == file)?;
        // A kernel module is compiled elsewhere than where its package is built.
        Some(package_at(path).or_else(|| package_at(place.to_str()?)))
    };
    same.filter_map(belongs).collect()
}

/// A path without `.` and `..`, as icecream makes it (`get_absfilename`): of links it knows nothing.
fn absolute(place: &Path, word: &str) -> PathBuf {
    let mut path = PathBuf::new();
    for part in place.join(word).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(path.pop()),
            part => path.push(part),
        }
    }
    path
}

/// The directory that a process is in. That of another user is shown to that user alone where the container may not trace, even to root.
fn place(pid: u32) -> Option<PathBuf> {
    let link = format!("/proc/{pid}/cwd");
    match fs::read_link(&link) {
        Err(problem) if problem.kind() == io::ErrorKind::PermissionDenied => {
            as_portage(|| fs::read_link(&link)).ok()
        }
        other => other.ok(),
    }
}

/// Does something with the rights to files that builds have. They are this thread's alone.
fn as_portage<T>(what: impl FnOnce() -> T) -> T {
    let group = setfsgid(Gid::from_raw(PORTAGE_ID));
    let user = setfsuid(Uid::from_raw(PORTAGE_ID));
    let done = what();
    setfsuid(user);
    setfsgid(group);
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUILD: &str = "/var/tmp/portage/test-slow/many-1/work";

    fn asked(arguments: &[&str], file: &str, place: &str) -> Vec<Option<String>> {
        let arguments: String = arguments.iter().flat_map(|argument| [argument, "\0"]).collect();
        let found = asked_by(arguments.as_bytes(), file, || Some(place.into()));
        found.into_iter().map(|package| package.map(|package| package.to_string())).collect()
    }

    #[test]
    fn who_asks_has_the_file_among_its_arguments() {
        let many = [Some("test-slow/many-1".to_owned())];
        let gcc = |file| ["g++", "-c", "-o", "f1.o", file];
        for file in ["f1.cpp", "./f1.cpp", "../work/f1.cpp", "/var/tmp/portage/test-slow/many-1/work/f1.cpp"]
        {
            assert_eq!(asked(&gcc(file), "many-1/work/f1.cpp", BUILD), many, "{file}");
        }
        assert_eq!(asked(&gcc("src/f1.cpp"), "work/src/f1.cpp", BUILD), many);
        assert_eq!(asked(&gcc("/usr/src/linux/init/main.c"), "linux/init/main.c", BUILD), many);
        // Another one of that name, one whose shell only has it in a command, and who compiles nothing.
        for arguments in [&gcc("src/f1.cpp")[..], &["sh", "-c", "g++ -c f1.cpp"], &["f1.cpp"], &[]] {
            assert_eq!(asked(arguments, "many-1/work/f1.cpp", BUILD), [], "{arguments:?}");
        }
        assert_eq!(asked(&gcc("f1.cpp"), "tmp/x/f1.cpp", "/tmp/x"), [None], "a person compiles it");
    }

    #[test]
    fn what_may_be_of_several_is_of_none() {
        let cpv = |name: &str| Cpv::parse(name.as_bytes());
        let (a, b) = (cpv("a/a-1"), cpv("b/b-1"));
        assert_eq!(one([a.clone(), a.clone()].into_iter()), a);
        for several in [vec![a.clone(), b], vec![a.clone(), None], vec![None, a], vec![None], Vec::new()] {
            assert_eq!(one(several.into_iter()), None);
        }
    }

    #[test]
    fn a_number_that_two_have_for_themselves_is_of_neither() {
        let cpv = |name: &str| Cpv::parse(name.as_bytes());
        let package = |pid| match pid {
            57 => cpv("a/a-1"),
            900 | 901 => cpv("b/b-1"),
            _ => None,
        };
        let of = |all: &[(u32, &[u32])]| {
            of_client(57, all.iter().map(|(pid, numbers)| (*pid, numbers.to_vec())), package)
        };
        assert_eq!(of(&[(57, &[57])]), cpv("a/a-1"));
        assert_eq!(of(&[(57, &[57]), (900, &[900, 57])]), None, "it may be either");
        // One that is 57 here alone is another.
        assert_eq!(of(&[(57, &[57, 3]), (900, &[900, 57]), (901, &[901, 57])]), cpv("b/b-1"));
        assert_eq!(of(&[(57, &[57, 3])]), None);
    }

    #[test]
    fn what_runs_here_is_found() {
        let place = tempfile::tempdir().unwrap();
        let work = place.path().join("portage/a/b-1/work");
        fs::create_dir_all(&work).unwrap();
        let mut waits = std::process::Command::new("tail")
            .args(["-f", "/dev/null", "some-file-of-this-test.c"])
            .current_dir(&work)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        // It has been started when `spawn` returns.
        let found = package("b-1/work/some-file-of-this-test.c");
        assert_eq!(package_of(waits.id()), found);
        waits.kill().unwrap();
        waits.wait().unwrap();
        assert_eq!(found.as_ref().map(Cpv::as_str), Some("a/b-1"));
        assert_eq!(package("b-1/work/some-file-of-this-test.c"), None);
    }
}
