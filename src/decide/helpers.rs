//! Compile helpers: how many jobs a build gets with them, whether a machine can be one, and what a person should know.

use crate::model::helpers::Helpers;

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
/// What a file takes while it is compiled; below that no helper has a slot.
const MEMORY: u64 = 128 << 20;

/// How many jobs a build runs at a time.
pub(crate) fn jobs(own: u32, theirs: u32) -> u32 {
    own.saturating_add(theirs).min(own.saturating_mul(MOST)).max(1)
}

/// What make.conf has besides while builds have helpers. Portage opens the network for no helper, and with its sandbox all is compiled here
/// without a word.
pub(crate) fn make_conf(jobs: u32) -> String {
    format!(
        "# By gbsup, for as long as [helpers] engine is \"icecream\".\n\
         FEATURES=\"${{FEATURES}} icecream -network-sandbox\"\n\
         MAKEOPTS=\"${{MAKEOPTS}} -j{jobs}\"\n"
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
    /// Bytes that are free where environments are unpacked.
    pub free: u64,
    /// Whether programs can be started there.
    pub starts_programs: bool,
}

/// What a daemon needs to compile for others: it unpacks what it is sent, and enters it as another user.
const NEEDED: [(u32, &str); 5] =
    [(0, "CHOWN"), (6, "SETGID"), (7, "SETUID"), (8, "SETPCAP"), (18, "SYS_CHROOT")];

/// How many files it can compile at a time.
///
/// # Errors
/// One sentence, when it can be no helper.
pub(crate) fn slots(means: Means, directory: &str) -> Result<u32, String> {
    let missing = NEEDED.iter().filter(|(bit, _)| means.capabilities & (1 << bit) == 0);
    let missing: Vec<_> = missing.map(|(_, name)| *name).collect();
    if !missing.is_empty() {
        return Err(format!(
            "this container cannot help, since it lacks the capabilities {}; start it with --cap-add={}",
            missing.join(" and "),
            missing.join(",")
        ));
    }
    if !means.starts_programs {
        return Err(format!(
            "this container cannot help, since no program can be started in {directory}; mount it with exec"
        ));
    }
    let by_memory = means.memory.map_or(u32::MAX, |bytes| u32::try_from(bytes / MEMORY).unwrap_or(u32::MAX));
    let slots = means.cpus.max(1).min(by_memory);
    if slots == 0 {
        return Err(format!(
            "this container cannot help, since it may use less than {} MiB of memory",
            MEMORY >> 20
        ));
    }
    let needed = ENVIRONMENT + room(slots);
    if means.free < needed {
        return Err(format!(
            "this container cannot help, since {} MiB are free in {directory} and {} are needed",
            means.free >> 20,
            needed >> 20
        ));
    }
    Ok(slots)
}

/// Bytes that have to stay free for so many slots.
fn room(slots: u32) -> u64 {
    FREE * (u64::from(slots) + 1)
}

/// The load that a helper tells, in thousandths; at 1000 it is given nothing. What the machine does besides is for the scheduler of its kernel
/// to divide.
pub(crate) fn load(slots: u32, free: u64) -> u32 {
    if free < room(slots) { 1000 } else { 0 }
}

/// What a person should know; nothing as long as helpers help.
pub(crate) fn warning(helpers: &Helpers) -> Option<String> {
    let (remote, all) = helpers.files();
    let here = |why: &str| Some(format!("all is compiled here although there are to be helpers: {why}"));
    if let Some(why) = &helpers.down {
        return here(why);
    }
    if remote > 0 || all < ENOUGH {
        return None;
    }
    match (&helpers.present.lost, helpers.present.helpers.len()) {
        (Some(lost), 0) => here(lost),
        (None, 0) => here("no helper is there"),
        (_, 1) => here(&format!("the helper was given none of {all} files; docker logs of it says more")),
        (_, count) => here(&format!(
            "the {count} helpers were given none of {all} files; docker logs of each says more"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::helpers::{BUILDER, Helper, Present};

    const GOOD: Means =
        Means { capabilities: u64::MAX, cpus: 4, memory: None, free: 1 << 30, starts_programs: true };

    #[test]
    fn jobs_are_bounded_by_what_the_builder_can_prepare() {
        for (own, theirs, expected) in
            [(1, 0, 1), (1, 2, 3), (2, 6, 8), (1, 400, 8), (0, 0, 1), (u32::MAX, u32::MAX, u32::MAX)]
        {
            assert_eq!(jobs(own, theirs), expected, "{own} and {theirs}");
        }
        assert!(make_conf(3).ends_with("MAKEOPTS=\"${MAKEOPTS} -j3\"\n"));
    }

    #[test]
    fn slots_are_what_the_container_may_use() {
        let slots = |means| slots(means, "/d");
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
        let helper = Helper { name: "h1".into(), address: "10.0.0.2".into(), slots: 2 };
        helpers.present = Present { helpers: vec![helper], lost: None };
        assert!(warning(&helpers).unwrap().contains("given none of 20 files"));
        helpers.compiled.insert("h1".into(), 1);
        assert_eq!((warning(&helpers), helpers.files(), helpers.slots()), (None, (1, 21), 2));
        helpers.down = Some("iceccd is not installed".into());
        assert!(warning(&helpers).is_some());
    }
}
