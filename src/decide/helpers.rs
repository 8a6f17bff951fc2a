//! Compile helpers: how many jobs a build gets with them, whether a machine can be one, and what a person should know.

use core::net::SocketAddr;

use crate::config::Engine;
use crate::model::helpers::{Helper, Helpers, LeftOut, Present};

/// The key of the warning that helpers do not help.
pub(crate) const WARNING: &str = "helpers";
/// More jobs than so many for each slot of the builder's own are never begun: each is preprocessed here before it goes, and what links or
/// runs tests stays here.
pub(crate) const MOST: u32 = 8;
/// So many files without one from a helper are told.
const ENOUGH: u64 = 20;
/// What a helper's daemon wants to be free for each slot, and one more, before it takes a job (`daemon/main.cpp:maybe_stats`).
const FREE: u64 = 25 << 20;
/// An environment with a compiler, packed and unpacked.
const ENVIRONMENT: u64 = 150 << 20;
/// A large file, preprocessed, with what comes of it.
const FILES: u64 = 32 << 20;
/// What a file takes while it is compiled; below that no helper has a slot.
const MEMORY: u64 = 128 << 20;

/// How many jobs a build runs at a time.
pub(crate) fn jobs(own: u32, theirs: u32) -> u32 {
    own.saturating_add(theirs).min(own.saturating_mul(MOST)).max(1)
}

/// Where clients of distcc keep their locks, and write what they do.
pub(crate) const DISTCC_DIR: &str = "/run/gbsup/distcc";
/// The file that they write.
pub(crate) const DISTCC_LOG: &str = "/run/gbsup/distcc/log";

/// What make.conf has besides while builds have helpers; `own` is how many files are compiled here at a time. Portage opens the network for no
/// helper, and with its sandbox all is compiled here without a word.
pub(crate) fn make_conf(engine: Engine, own: u32, present: &Present) -> Option<String> {
    let (word, more) = match engine {
        Engine::None => return None,
        Engine::Icecream => ("icecream", String::new()),
        Engine::Distcc => ("distcc", of_distcc(own, present)),
    };
    let theirs = present.helpers.iter().fold(0, |sum: u32, helper| sum.saturating_add(helper.slots));
    let jobs = jobs(own, theirs);
    Some(format!(
        "# By gbsup, for as long as [helpers] engine is \"{word}\".\n\
         FEATURES=\"${{FEATURES}} {word} -network-sandbox\"\n\
         MAKEOPTS=\"${{MAKEOPTS}} -j{jobs}\"\n\
         {more}"
    ))
}

/// Whether compilers of this machine can find a helper there.
pub(crate) fn is_gate(gate: &str) -> bool {
    gate.parse().is_ok_and(
        |gate: SocketAddr| matches!(gate, SocketAddr::V4(v4) if v4.ip().octets()[..3] == [127, 0, 1]),
    )
}

/// A helper that was not there for a file is asked again soon: where it is gone it costs nothing, since nobody listens.
fn of_distcc(own: u32, present: &Present) -> String {
    let gate = |helper: &Helper| helper.gate.clone().filter(|gate| is_gate(gate));
    let host = |helper: &Helper| Some(format!("{}/{}", gate(helper)?, helper.slots));
    let here = format!("localhost/{own}");
    let hosts: Vec<String> = present.helpers.iter().filter_map(host).chain([here]).collect();
    let hosts = hosts.join(" ");
    let all = own.saturating_mul(MOST);
    format!(
        "DISTCC_HOSTS=\"{hosts} --localslots={own} --localslots_cpp={all}\"\n\
         DISTCC_DIR=\"{DISTCC_DIR}\"\n\
         DISTCC_LOG=\"{DISTCC_LOG}\"\n\
         DISTCC_BACKOFF_PERIOD=\"10\"\n\
         DISTCC_PAUSE_TIME_MSEC=\"100\"\n"
    )
}

/// What there is of this container to help with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Means {
    /// The effective capabilities, a bit for each.
    pub capabilities: u64,
    /// CPUs that the container may use, by its quota.
    pub cpus: u32,
    /// Bytes of memory that it may use; absent without a limit.
    pub memory: Option<u64>,
    /// Bytes that are free where it works.
    pub free: u64,
    /// Whether programs can be started there.
    pub starts_programs: bool,
}

/// What a daemon takes to compile for others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Takes {
    /// Capabilities, by their bit and name.
    capabilities: &'static [(u32, &'static str)],
    /// Whether it starts programs where it works.
    starts_programs: bool,
    /// Bytes that have to be free there, whatever it does, and for each file.
    free: (u64, u64),
    /// So many files at a time are the most.
    most: u32,
}

/// It unpacks what it is sent, and enters it as another user.
pub(crate) const ICECREAM: Takes = Takes {
    capabilities: &[(0, "CHOWN"), (6, "SETGID"), (7, "SETUID"), (8, "SETPCAP"), (18, "SYS_CHROOT")],
    starts_programs: true,
    free: (ENVIRONMENT, FREE),
    most: u32::MAX,
};
/// It becomes another user, where it is root. What it is sent, and what comes of that, is in files. It takes no `--jobs` above 200, of which one is
/// for whoever asks whether it answers.
pub(crate) const DISTCC: Takes = Takes {
    capabilities: &[(6, "SETGID"), (7, "SETUID")],
    starts_programs: false,
    free: (0, FILES),
    most: 199,
};

/// How many files it can compile at a time.
///
/// # Errors
/// One sentence, when it can be no helper.
pub(crate) fn slots(takes: Takes, means: Means, directory: &str) -> Result<u32, String> {
    let missing = takes.capabilities.iter().filter(|(bit, _)| means.capabilities & (1 << bit) == 0);
    let missing: Vec<_> = missing.map(|(_, name)| *name).collect();
    if !missing.is_empty() {
        return Err(format!(
            "this container cannot help, since it lacks the capabilities {}; start it with --cap-add={}",
            missing.join(" and "),
            missing.join(",")
        ));
    }
    if takes.starts_programs && !means.starts_programs {
        return Err(format!(
            "this container cannot help, since no program can be started in {directory}; mount it with exec"
        ));
    }
    let by_memory = means.memory.map_or(u32::MAX, |bytes| u32::try_from(bytes / MEMORY).unwrap_or(u32::MAX));
    let slots = means.cpus.max(1).min(by_memory).min(takes.most);
    if slots == 0 {
        return Err(format!(
            "this container cannot help, since it may use less than {} MiB of memory",
            MEMORY >> 20
        ));
    }
    let needed = takes.free.0 + room(takes.free.1, slots);
    if means.free < needed {
        return Err(format!(
            "this container cannot help, since {} MiB are free in {directory} and {} are needed",
            means.free >> 20,
            needed >> 20
        ));
    }
    Ok(slots)
}

/// Bytes for so many slots and one more, of which each needs so much.
fn room(each: u64, slots: u32) -> u64 {
    each * (u64::from(slots) + 1)
}

/// The load that a helper tells, in thousandths; at 1000 it is given nothing. What the machine does besides is for the scheduler of its kernel
/// to divide.
pub(crate) fn load(slots: u32, free: u64) -> u32 {
    if free < room(FREE, slots) { 1000 } else { 0 }
}

/// Which compilers a helper has to have as they are here, of all names and which file each is: those that are the one called gcc, clang where
/// there is none, or the same for C++.
pub(crate) fn needed<'a, F: PartialEq>(compilers: &[(&'a str, F)]) -> Vec<&'a str> {
    let base = |names: [&str; 2]| {
        let is = |name: &str| compilers.iter().find(|(known, _)| *known == name).map(|(_, file)| file);
        names.into_iter().find_map(is)
    };
    let needed = [base(["gcc", "clang"]), base(["g++", "clang++"])];
    compilers.iter().filter(|(_, file)| needed.contains(&Some(file))).map(|(name, _)| *name).collect()
}

/// What a person should know; nothing as long as all helpers help.
pub(crate) fn warning(helpers: &Helpers) -> Option<String> {
    let (remote, all) = helpers.files();
    let here = |why: &str| Some(format!("all is compiled here although there are to be helpers: {why}"));
    if let Some(why) = &helpers.down {
        return here(why);
    }
    if let Some((option, count)) = helpers.kept.iter().max_by_key(|(_, count)| **count)
        && *count >= ENOUGH
        && count.saturating_mul(2) > all
    {
        return Some(format!(
            "{count} of {all} files were compiled here although there are to be helpers, since distcc hands nothing on that is compiled \
             with {option}"
        ));
    }
    let present = &helpers.present;
    let left_out = present.left_out.first().map(|one| {
        let more = present.left_out.len() - 1;
        let more = if more > 0 { format!(", and {more} more") } else { String::new() };
        format!("the helper {} {}{more}: {}", one.name, how(present, one), one.why)
    });
    if remote > 0 || all < ENOUGH {
        return left_out;
    }
    // What is told by a scheduler goes to whoever is there.
    let late = present.helpers.iter().all(|helper| helper.gate.is_some());
    let late = if late { "one that came while a step ran is given files from the next on; " } else { "" };
    match (left_out.or_else(|| present.lost.clone()), present.helpers.len()) {
        (Some(lost), 0) => here(&lost),
        (None, 0) => here("no helper is there"),
        (_, 1) => {
            here(&format!("the helper was given none of {all} files; {late}docker logs of it says more"))
        }
        (_, count) => here(&format!(
            "the {count} helpers were given none of {all} files; {late}docker logs of each says more"
        )),
    }
}

/// What the log says of a change: who was taken out or left out, and why.
pub(crate) fn said(before: &Present, now: &Present) -> Vec<String> {
    let lost = now.lost.iter().filter(|lost| before.lost.as_ref() != Some(lost));
    let lost = lost.map(|lost| format!("helpers: {lost}"));
    let left_out = now.left_out.iter().filter(|one| !before.left_out.contains(one));
    lost.chain(left_out.map(|one| format!("helpers: {} {}: {}", one.name, how(now, one), one.why))).collect()
}

/// Whether a loss is that of this helper: it begins with what that calls itself, or with where it is.
pub(crate) fn is_about(lost: &str, helper: &Helper) -> bool {
    lost.split(' ').next().is_some_and(|who| who == helper.name || who == helper.address)
}

fn how(present: &Present, one: &LeftOut) -> &'static str {
    if present.helpers.iter().any(|helper| helper.name == one.name) {
        "is not given everything"
    } else {
        "is left out"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::helpers::BUILDER;

    fn helper(name: &str) -> Helper {
        Helper { name: name.into(), address: "10.0.0.2".into(), slots: 2, gate: None }
    }

    const GOOD: Means =
        Means { capabilities: u64::MAX, cpus: 4, memory: None, free: 1 << 30, starts_programs: true };

    #[test]
    fn jobs_are_bounded_by_what_the_builder_can_prepare() {
        for (own, theirs, expected) in
            [(1, 0, 1), (1, 2, 3), (2, 6, 8), (1, 400, 8), (0, 0, 1), (u32::MAX, u32::MAX, u32::MAX)]
        {
            assert_eq!(jobs(own, theirs), expected, "{own} and {theirs}");
        }
        let theirs = |gate: Option<&str>| Helper { gate: gate.map(str::to_owned), ..helper("h1") };
        let present = |gate| Present { helpers: vec![theirs(gate)], ..Present::default() };
        let text = make_conf(Engine::Icecream, 1, &present(None)).unwrap();
        assert!(text.ends_with("MAKEOPTS=\"${MAKEOPTS} -j3\"\n"), "{text}");
        assert_eq!(make_conf(Engine::None, 1, &present(None)), None);
        let text = make_conf(Engine::Distcc, 2, &present(Some("127.0.1.1:3632"))).unwrap();
        assert!(
            text.contains("FEATURES=\"${FEATURES} distcc -network-sandbox\"\nMAKEOPTS=\"${MAKEOPTS} -j4\"\n")
        );
        let hosts = "DISTCC_HOSTS=\"127.0.1.1:3632/2 localhost/2 --localslots=2 --localslots_cpp=16\"\n";
        assert!(text.contains(hosts), "{text}");
        for gate in
            ["127.0.1.1:3632 --randomize", "127.0.1.1:3632\"\nX=\"", "127.0.0.1:3632", "[::1]:3632", ""]
        {
            let none = make_conf(Engine::Distcc, 2, &present(Some(gate))).unwrap();
            assert!(none.contains("DISTCC_HOSTS=\"localhost/2 --"), "{none}");
        }
        // Without one it has to be known that all is to be compiled here.
        let none = make_conf(Engine::Distcc, 2, &Present::default()).unwrap();
        assert!(none.contains("DISTCC_HOSTS=\"localhost/2 --") && none.contains("-j2\""), "{none}");
    }

    #[test]
    fn slots_are_what_the_container_may_use() {
        let by_distcc = |means| slots(DISTCC, means, "/d");
        let slots = |means| slots(ICECREAM, means, "/d");
        assert_eq!(slots(GOOD), Ok(4));
        assert_eq!(slots(Means { memory: Some(300 << 20), ..GOOD }), Ok(2));
        assert_eq!(slots(Means { cpus: 0, ..GOOD }), Ok(1));
        for (means, words) in [
            (
                Means { capabilities: !(1 << 18), ..GOOD },
                "lacks the capabilities SYS_CHROOT; start it with --cap-add=SYS_CHROOT",
            ),
            (Means { capabilities: 0, ..GOOD }, "CHOWN and SETGID and SETUID and SETPCAP and SYS_CHROOT"),
            (Means { starts_programs: false, ..GOOD }, "in /d; mount it with exec"),
            (Means { memory: Some(100 << 20), ..GOOD }, "less than 128 MiB of memory"),
            (Means { free: 200 << 20, ..GOOD }, "200 MiB are free in /d and 275 are needed"),
        ] {
            let said = slots(means).unwrap_err();
            assert!(said.contains(words), "{said}");
        }
        let less = Means { capabilities: 1 << 6 | 1 << 7, starts_programs: false, free: 160 << 20, ..GOOD };
        assert_eq!(by_distcc(less), Ok(4));
        let large = Means { cpus: 256, free: 16 << 30, ..GOOD };
        assert_eq!((slots(large), by_distcc(large)), (Ok(256), Ok(199)));
        for (means, words) in [
            (
                Means { capabilities: 1 << 6, ..less },
                "lacks the capabilities SETUID; start it with --cap-add=SETUID",
            ),
            (Means { free: 100 << 20, ..less }, "100 MiB are free in /d and 160 are needed"),
        ] {
            let said = by_distcc(means).unwrap_err();
            assert!(said.contains(words), "{said}");
        }
    }

    #[test]
    fn a_helper_needs_one_compiler_of_each_language_by_all_its_names() {
        let all =
            [("cc", 1), ("clang", 3), ("clang++", 3), ("g++", 2), ("gcc", 1), ("x-gcc", 1), ("y-gcc", 4)];
        assert_eq!(needed(&all), ["cc", "g++", "gcc", "x-gcc"]);
        assert_eq!(needed(&all[1..3]), ["clang", "clang++"]);
        assert_eq!(needed(&all[6..]), [""; 0]);
    }

    #[test]
    fn a_full_helper_says_so() {
        assert_eq!((load(2, 75 << 20), load(2, (75 << 20) - 1)), (0, 1000));
    }

    #[test]
    fn what_is_compiled_here_in_spite_of_helpers_is_told() {
        let mut helpers = Helpers::default();
        assert_eq!(warning(&helpers), None);
        helpers.compiled.insert(BUILDER.into(), 20);
        assert!(warning(&helpers).unwrap().ends_with(": no helper is there"));
        helpers.present.lost = Some("h1 was taken out".into());
        assert!(warning(&helpers).unwrap().ends_with(": h1 was taken out"));
        helpers.present = Present { helpers: vec![helper("h1")], ..Present::default() };
        assert!(warning(&helpers).unwrap().ends_with("given none of 20 files; docker logs of it says more"));
        helpers.present.helpers[0].gate = Some("127.0.1.1:3632".into());
        assert!(
            warning(&helpers)
                .unwrap()
                .contains("while a step ran is given files from the next on; docker logs")
        );
        helpers.compiled.insert("h1".into(), 1);
        assert_eq!((warning(&helpers), helpers.files(), helpers.slots()), (None, (1, 21), 2));
        helpers.down = Some("iceccd is not installed".into());
        assert!(warning(&helpers).is_some());
    }

    #[test]
    fn who_is_left_out_is_told_whatever_the_others_do() {
        let other = LeftOut { name: "h2".into(), why: "its gcc is another".into() };
        let mut helpers = Helpers::default();
        helpers.present.left_out = vec![other.clone()];
        assert_eq!(warning(&helpers).unwrap(), "the helper h2 is left out: its gcc is another");
        helpers.compiled.insert(BUILDER.into(), 20);
        assert!(
            warning(&helpers).unwrap().ends_with("helpers: the helper h2 is left out: its gcc is another")
        );
        helpers.compiled.insert("h1".into(), 20);
        helpers.present.left_out.push(other);
        assert_eq!(warning(&helpers).unwrap(), "the helper h2 is left out, and 1 more: its gcc is another");
        helpers.present.helpers.push(helper("h2"));
        assert!(
            warning(&helpers).unwrap().starts_with("the helper h2 is not given everything, and 1 more: ")
        );
    }

    #[test]
    fn the_log_has_each_change_once() {
        let out = |name: &str| LeftOut { name: name.into(), why: "its gcc is another".into() };
        let before = Present { left_out: vec![out("h2")], ..Present::default() };
        let now = Present {
            left_out: vec![out("h2"), out("h3")],
            lost: Some("h1 has left".into()),
            ..before.clone()
        };
        assert_eq!(
            said(&before, &now),
            ["helpers: h1 has left", "helpers: h3 is left out: its gcc is another"]
        );
        assert_eq!(said(&now, &now), [""; 0]);
    }

    #[test]
    fn an_option_that_keeps_files_here_is_named() {
        let mut helpers = Helpers::default();
        helpers.compiled.extend([(BUILDER.to_owned(), 30), ("h1".to_owned(), 9)]);
        helpers.kept.insert("-march=native".into(), 19);
        assert_eq!(warning(&helpers), None);
        helpers.kept.insert("-march=native".into(), 30);
        let said = warning(&helpers).unwrap();
        assert!(
            said.starts_with("30 of 39 files were compiled here") && said.ends_with("with -march=native"),
            "{said}"
        );
        helpers.compiled.insert("h1".into(), 31);
        assert_eq!(warning(&helpers), None, "most are handed on");
    }
}
