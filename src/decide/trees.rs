//! Which ebuild repositories clients are offered, by which commits, and how many packs hold them.

// The types alone; nothing is connected to here.
use core::net::IpAddr;
use std::collections::BTreeMap;

use crate::config::Tree as Wanted;
use crate::model::release::{Release, Snapshot, Tree};
use crate::portage::files::repository::Repository;

/// So many commits follow each other; the next one has no parent. Whoever has none yet fetches each of them, one after the other.
const LONGEST: u32 = 64;
/// With more packs than this the oldest become one. Each is one request more for whoever has none of them.
const MOST_PACKS: usize = 48;
/// So many of the newest stay as they are: a client that lags behind so many releases fetches what is new to it, and nothing else.
const KEPT_PACKS: usize = 16;

/// Whether a repository may be handed on; the reason why not, in words.
pub(crate) fn may_be_offered(repository: &Repository, wanted: &[Wanted]) -> Result<(), &'static str> {
    if wanted.iter().any(|wanted| matches!(wanted, Wanted::Named(name) if *name == repository.name)) {
        return Ok(());
    }
    if !wanted.contains(&Wanted::Public) {
        return Err("publish.trees does not name it");
    }
    if repository.sync_type.is_empty() {
        return Err("it comes from nowhere that others could sync it from");
    }
    // The mirrors of Portage's own way, where nothing else is said.
    if repository.sync_type == "webrsync" && repository.sync_uri.is_empty() {
        return Ok(());
    }
    is_public(&repository.sync_uri)
}

/// Whether anybody can read what is at an address.
fn is_public(uri: &str) -> Result<(), &'static str> {
    const NOT_PUBLIC: &str = "its sync-uri is not one that everybody can read";
    let (scheme, rest) = uri.split_once("://").ok_or(NOT_PUBLIC)?;
    // The shell of a stranger needs a key.
    if !["http", "https", "git", "rsync", "git+http", "git+https"].contains(&scheme) {
        return Err(NOT_PUBLIC);
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err("its sync-uri names a user");
    }
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    let public = match host.parse() {
        Ok(IpAddr::V4(address)) => {
            !(address.is_private()
                || address.is_loopback()
                || address.is_link_local()
                || address.is_unspecified())
        }
        Ok(IpAddr::V6(address)) => {
            !(address.is_loopback()
                || address.is_unique_local()
                || address.is_unicast_link_local()
                || address.is_unspecified())
        }
        Err(_) => {
            let host = host.trim_end_matches('.').to_ascii_lowercase();
            let own =
                ["local", "localhost", "lan", "internal", "intranet", "home", "corp", "private", "test"];
            host.rsplit_once('.').is_some_and(|(_, top)| !own.contains(&top) && !host.ends_with(".home.arpa"))
        }
    };
    if public { Ok(()) } else { Err(NOT_PUBLIC) }
}

/// The repositories of these names that a release has otherwise than the builder has them, each with its tree. `newest` is the newest
/// release that a cycle made, which has them as the builder does.
pub(crate) fn gone_back(release: &Release, newest: &Release, names: &[String]) -> BTreeMap<String, String> {
    let tree = |of: &Release, name: &str| of.trees.get(name).map(|tree| tree.tree.clone());
    let gone_back = |name: &String| {
        let then = tree(release, name).filter(|then| tree(newest, name).as_ref() != Some(then))?;
        Some((name.clone(), then))
    };
    names.iter().filter_map(gone_back).collect()
}

/// What becomes of a repository in the next release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// It is offered by the same commit as before.
    Same(Tree),
    /// A commit of this tree follows.
    Commit {
        /// The tree.
        tree: String,
        /// What it follows; nothing where the history begins, or is cut.
        parent: Option<String>,
        /// See [`Tree::depth`].
        depth: u32,
    },
}

/// What becomes of each repository after the release before, in one that is signed by this key.
pub(crate) fn next(
    before: Option<&Release>,
    snapshots: &BTreeMap<String, Snapshot>,
    signed: Option<&str>,
) -> BTreeMap<String, Next> {
    let one = |(name, snapshot): (&String, &Snapshot)| {
        let last = before.and_then(|before| before.trees.get(name));
        let same_key = before.is_some_and(|before| before.signed.as_deref() == signed);
        let next = match (snapshot, last) {
            (Snapshot::Withheld(_), _) | (Snapshot::Unwritten(_), None) => return None,
            (Snapshot::Tree(tree), Some(last)) if *tree == last.tree && same_key => Next::Same(last.clone()),
            // Whoever trusts the new key alone could not verify the old commit.
            (Snapshot::Unwritten(_), Some(last)) if same_key => Next::Same(last.clone()),
            (Snapshot::Unwritten(_), Some(last)) => follow(&last.tree, Some(last)),
            (Snapshot::Tree(tree), last) => follow(tree, last),
        };
        Some((name.clone(), next))
    };
    snapshots.iter().filter_map(one).collect()
}

/// The commit of a tree after another one.
fn follow(tree: &str, last: Option<&Tree>) -> Next {
    let last = last.filter(|last| last.depth < LONGEST);
    let depth = last.map_or(1, |last| last.depth.saturating_add(1));
    Next::Commit { tree: tree.to_owned(), parent: last.map(|last| last.commit.clone()), depth }
}

/// The same apart from all commits that there were before. Clients may have some that nobody knows of any more, which git would merge with
/// those of a common parent.
pub(crate) fn apart(next: BTreeMap<String, Next>) -> BTreeMap<String, Next> {
    let alone = |(name, next)| {
        let (Next::Same(Tree { tree, .. }) | Next::Commit { tree, .. }) = next;
        (name, Next::Commit { tree, parent: None, depth: 1 })
    };
    next.into_iter().map(alone).collect()
}

/// Whether anything of it is other than before, so that it is reason for a release although no package is new.
pub(crate) fn differs(before: &Release, next: &BTreeMap<String, Next>) -> bool {
    let same = |(name, next): (&String, &Next)| {
        before.trees.get(name).is_some_and(|last| *next == Next::Same(last.clone()))
    };
    before.trees.len() != next.len() || !next.iter().all(same)
}

/// How many of the oldest of so many packs become one; none as long as they are few.
pub(crate) fn to_fold(packs: usize) -> usize {
    if packs > MOST_PACKS { packs - KEPT_PACKS } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_anybody_can_sync_may_be_handed_on() {
        let of = |sync_type: &str, sync_uri: &str| Repository {
            name: "x".into(),
            sync_type: sync_type.into(),
            sync_uri: sync_uri.into(),
            ..Repository::default()
        };
        for (sync_type, uri, public) in [
            ("rsync", "rsync://rsync.gentoo.org/gentoo-portage", true),
            ("git", "https://github.com/gentoo-mirror/gentoo.git", true),
            ("git", "git://anongit.gentoo.org:9418/repo/gentoo.git", true),
            ("webrsync", "", true),
            ("rsync", "rsync://[2001:db8::1]:873/x", true),
            ("rsync", "", false),
            ("", "", false),
            ("", "https://github.com/x/y", false),
            ("git", "file:///srv/tree", false),
            ("git", "/srv/tree", false),
            ("git", "git@github.com:me/own.git", false),
            ("git", "ssh://git@github.com/me/own.git", false),
            ("git", "https://me:secret@github.com/me/own.git", false),
            ("git", "https://token@git.example.org/me/own.git", false),
            ("git", "http://mirror/gentoo.git", false),
            ("git", "http://mirror.lan/gentoo.git", false),
            ("git", "http://localhost:8000/x", false),
            ("rsync", "rsync://192.168.1.2/gentoo", false),
            ("rsync", "rsync://[fd00::1]/gentoo", false),
            ("rsync", "rsync://[::1]/gentoo", false),
        ] {
            let said = may_be_offered(&of(sync_type, uri), &[Wanted::Public]);
            assert_eq!(said.is_ok(), public, "{sync_type} {uri}: {said:?}");
            let named = [Wanted::Public, Wanted::Named("x".into())];
            assert_eq!(may_be_offered(&of(sync_type, uri), &named), Ok(()), "a person said so");
            assert!(may_be_offered(&of(sync_type, uri), &[Wanted::Named("y".into())]).is_err());
        }
    }

    fn release(signed: Option<&str>, trees: &[(&str, &str, &str, u32)]) -> Release {
        let text = serde_json::json!({
            "schema": 1, "id": "2026-11-22.1", "published": "2026-11-22T10:00:00Z", "gbsup": "0", "signed": signed,
            "packages": [], "held": [], "index": [],
        });
        let mut release: Release = serde_json::from_value(text).unwrap();
        for (name, commit, tree, depth) in trees {
            let tree = Tree { commit: (*commit).into(), tree: (*tree).into(), depth: *depth };
            release.trees.insert((*name).into(), tree);
        }
        release
    }

    #[test]
    fn what_went_back_is_of_other_files() {
        let newest = release(None, &[("a", "c2", "t2", 2), ("b", "d2", "u1", 2)]);
        let older = release(None, &[("a", "c1", "t1", 1), ("b", "d1", "u1", 1), ("gone", "e1", "v1", 1)]);
        let names = ["a", "b", "gone", "other"].map(str::to_owned);
        let found = [("a".to_owned(), "t1".to_owned()), ("gone".to_owned(), "v1".to_owned())].into();
        assert_eq!(gone_back(&older, &newest, &names), found);
        assert_eq!(gone_back(&older, &newest, &names[1..2]), BTreeMap::new());
        assert_eq!(gone_back(&newest, &newest, &names), BTreeMap::new());
    }

    #[test]
    fn each_commit_follows_the_one_before() {
        let tree = |tree: &str| BTreeMap::from([("g".to_owned(), Snapshot::Tree(tree.into()))]);
        let commit = |tree: &str, parent: Option<&str>, depth| Next::Commit {
            tree: tree.into(),
            parent: parent.map(str::to_owned),
            depth,
        };
        let first = next(None, &tree("t1"), None);
        assert_eq!(first["g"], commit("t1", None, 1));

        let before = release(Some("K"), &[("g", "c1", "t1", 1)]);
        let same = next(Some(&before), &tree("t1"), Some("K"));
        assert_eq!(same["g"], Next::Same(before.trees["g"].clone()));
        assert!(!differs(&before, &same));
        // What clients trust now, they have to be able to verify.
        assert_eq!(next(Some(&before), &tree("t1"), Some("L"))["g"], commit("t1", Some("c1"), 2));
        let newer = next(Some(&before), &tree("t0"), Some("K"));
        assert_eq!(newer["g"], commit("t0", Some("c1"), 2), "also back to what was offered earlier");
        assert!(differs(&before, &newer));

        let long = release(None, &[("g", "c64", "t1", LONGEST)]);
        assert_eq!(next(Some(&long), &tree("t2"), None)["g"], commit("t2", None, 1), "the history is cut");
    }

    #[test]
    fn what_cannot_be_written_stays_and_what_may_not_goes() {
        let before = release(None, &[("g", "c1", "t1", 1)]);
        let of = |snapshot| BTreeMap::from([("g".to_owned(), snapshot)]);
        let unwritten = next(Some(&before), &of(Snapshot::Unwritten("full".into())), None);
        assert!(!differs(&before, &unwritten), "{unwritten:?}");
        assert_eq!(next(None, &of(Snapshot::Unwritten("full".into())), None), BTreeMap::new());
        let withheld = next(Some(&before), &of(Snapshot::Withheld("private".into())), None);
        assert!(withheld.is_empty() && differs(&before, &withheld));
        assert!(differs(&before, &BTreeMap::new()), "it was turned off");
        assert!(!differs(&release(None, &[]), &BTreeMap::new()));
    }

    #[test]
    fn packs_are_bounded_and_the_newest_stay() {
        let mut packs = 0;
        let mut most = 0;
        for _ in 0..1000 {
            packs += 1;
            let folded = to_fold(packs);
            assert!(folded == 0 || packs - folded == KEPT_PACKS);
            packs -= folded.saturating_sub(1);
            most = most.max(packs);
        }
        assert_eq!(most, MOST_PACKS);
    }
}
