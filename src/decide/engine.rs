//! What the container engine withholds that a builder cannot do without, told in one sentence with what to give.
//!
//! What was tried with which engine is in `docs/engines.md`.

use crate::model::failure::{Class, Failure};

/// What Portage needs of capabilities(7), with their numbers (linux/capability.h): it installs files of every owner and mode, becomes
/// the user portage to build and fetch, and ends what it started.
const CAPABILITIES: &[(&str, u32)] =
    &[("CHOWN", 0), ("DAC_OVERRIDE", 1), ("FOWNER", 3), ("KILL", 5), ("SETGID", 6), ("SETUID", 7)];
/// The user and group portage of every Gentoo (acct-user/portage).
const PORTAGE: u32 = 250;

/// What this container may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rights {
    /// The user it runs as.
    pub user: u32,
    /// The effective capabilities, a bit for each; `CapEff` of proc_pid_status(5).
    pub capabilities: u64,
    /// `/proc/self/uid_map` and `/proc/self/gid_map`, as user_namespaces(7) has them; empty when they are not known.
    pub maps: [String; 2],
    /// The places in which a build writes and that are on a read-only file system.
    pub read_only: Vec<String>,
}

/// What is missing; nothing when packages can be built and installed. One thing at a time: the first is the one to repair first, since
/// it may explain the others.
pub(crate) fn check(rights: &Rights) -> Option<Failure> {
    let (message, host) = as_user(rights)
        .or_else(|| without_users(rights))
        .or_else(|| without_capabilities(rights))
        .or_else(|| read_only(rights))?;
    Some(Failure { suggestions: vec![host], ..Failure::new(Class::Engine, message) })
}

fn as_user(rights: &Rights) -> Option<(String, String)> {
    let user = rights.user;
    (user != 0).then(|| {
        (
            format!("the container runs as user {user}, and only root can install packages; start it without --user {user}"),
            "docker run --user 0:0 ...   # on the host; user: in a compose file, runAsUser in Kubernetes".to_owned(),
        )
    })
}

fn without_users(rights: &Rights) -> Option<(String, String)> {
    let lacks = |map: &String| !map.trim().is_empty() && !holds(map, PORTAGE);
    rights.maps.iter().any(lacks).then(|| {
        (
            format!(
                "the engine gives this container too few users: Portage builds as user and group {PORTAGE}, which it does not have; \
                 give the user that runs the engine 65536 in /etc/subuid and in /etc/subgid"
            ),
            "usermod --add-subuids 100000-165535 --add-subgids 100000-165535 NAME; podman system migrate   # on the host"
                .to_owned(),
        )
    })
}

/// Whether a map (`inside outside count` in each line) has an id inside.
fn holds(map: &str, id: u32) -> bool {
    map.lines().any(|line| {
        let mut numbers = line.split_whitespace().map(str::parse::<u64>);
        let (Some(Ok(first)), Some(Ok(_)), Some(Ok(count))) =
            (numbers.next(), numbers.next(), numbers.next())
        else {
            return false;
        };
        (first..first.saturating_add(count)).contains(&u64::from(id))
    })
}

fn without_capabilities(rights: &Rights) -> Option<(String, String)> {
    let missing = CAPABILITIES.iter().filter(|(_, bit)| rights.capabilities & (1 << bit) == 0);
    let missing: Vec<&str> = missing.map(|(name, _)| *name).collect();
    (!missing.is_empty()).then(|| {
        let add: Vec<String> = missing.iter().map(|name| format!("--cap-add {name}")).collect();
        (
            format!("the container lacks capabilities that Portage needs; start it with {}", add.join(" ")),
            format!("docker run {} ...   # on the host; cap_add in a compose file", add.join(" ")),
        )
    })
}

fn read_only(rights: &Rights) -> Option<(String, String)> {
    let places = &rights.read_only;
    (!places.is_empty()).then(|| {
        (
            format!(
                "{} cannot be written, being on a read-only file system, and Portage installs there what it builds; \
                 start the container without --read-only (only gbsup serve and gbsup publish --once work with it)",
                listed(places)
            ),
            "docker run ...   # on the host, without --read-only; read_only in a compose file, readOnlyRootFilesystem in Kubernetes"
                .to_owned(),
        )
    })
}

/// `a, b and c`
fn listed(places: &[String]) -> String {
    match places {
        [] => String::new(),
        [one] => one.clone(),
        [some @ .., last] => format!("{} and {last}", some.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Docker gives when nothing is said.
    fn docker() -> Rights {
        let map = "         0          0 4294967295\n".to_owned();
        Rights { user: 0, capabilities: 0xa804_25fb, maps: [map.clone(), map], read_only: Vec::new() }
    }

    fn said(rights: &Rights) -> String {
        let failure = check(rights).expect("something is missing");
        assert_eq!(failure.class, Class::Engine);
        assert_eq!(failure.suggestions.len(), 1);
        failure.message
    }

    #[test]
    fn what_engines_give_by_default_is_enough() {
        assert_eq!(check(&docker()), None);
        // Rootless: a range of its own, and every capability in it.
        let map = "0 1000 1\n1 100000 65536\n".to_owned();
        assert_eq!(
            check(&Rights { capabilities: 0x01ff_ffff_ffff, maps: [map.clone(), map], ..docker() }),
            None
        );
        // Without /proc nothing is known.
        assert_eq!(check(&Rights { maps: Default::default(), ..docker() }), None);
    }

    #[test]
    fn exactly_what_is_missing_is_named() {
        let none = said(&Rights { capabilities: 0, ..docker() });
        assert!(
            none.ends_with(
                "start it with --cap-add CHOWN --cap-add DAC_OVERRIDE --cap-add FOWNER --cap-add KILL --cap-add SETGID --cap-add SETUID"
            ),
            "{none}"
        );
        let one = said(&Rights { capabilities: 0xa804_25fb & !(1 << 6), ..docker() });
        assert!(one.ends_with("start it with --cap-add SETGID"), "{one}");
        assert_eq!(
            check(&Rights { capabilities: 0b1110_1011, ..docker() }),
            None,
            "no more than those are needed"
        );
    }

    #[test]
    fn another_user_is_named_before_what_comes_of_it() {
        let rights = Rights { user: 1000, capabilities: 0, read_only: vec!["/run".into()], ..docker() };
        let user = said(&rights);
        assert!(
            user.starts_with("the container runs as user 1000, ") && user.ends_with("without --user 1000"),
            "{user}"
        );
    }

    #[test]
    fn a_user_namespace_has_to_hold_portage() {
        for (map, enough) in
            [("0 1000 1", false), ("0 1000 250", false), ("0 1000 251", true), ("nonsense", false)]
        {
            let map = map.to_owned();
            let found = check(&Rights { maps: ["0 0 65536".to_owned(), map.clone()], ..docker() });
            assert_eq!(found.is_none(), enough, "{map}");
        }
    }

    #[test]
    fn read_only_places_are_named() {
        let places = ["/run", "/usr", "/var/db/pkg"].map(str::to_owned).to_vec();
        let words = said(&Rights { read_only: places, ..docker() });
        assert!(words.starts_with("/run, /usr and /var/db/pkg cannot be written, "), "{words}");
        assert!(words.contains("start the container without --read-only"), "{words}");
    }
}
