//! Ebuild repositories that are offered with the packages.

use super::*;
use crate::model::release::Tree;

/// Has the next release offer a repository with this file.
fn snapshot(place: &mut Place, text: &str) {
    let repository = place.volume().join("repository");
    fs::create_dir_all(repository.join("profiles")).unwrap();
    fs::write(repository.join("profiles/repo_name"), text).unwrap();
    let snapshot = crate::binhost::release::snapshot(place.volume(), "own", &repository, || false).unwrap();
    place.trees = Some([("own".to_owned(), snapshot)].into());
}

fn offered(place: &Place) -> Release {
    place.releases().read(place.releases().current().unwrap()).unwrap()
}

/// What clients are told of the current release.
fn told(place: &Place) -> String {
    fs::read_to_string(place.releases().directory().join("current/tree/own.git/info/refs")).unwrap()
}

#[test]
fn trees_switch_with_the_packages_and_go_back_with_them() {
    let mut place = Place::new();
    place.add("a-1", 1, "a");
    snapshot(&mut place, "first");
    place.publish().unwrap();
    let first = offered(&place).trees["own"].clone();
    assert_eq!(told(&place), format!("{}\trefs/heads/main\n", first.commit));
    assert!(!place.publish().unwrap().new, "the same again");

    // Another tree is a release of its own, and one that cannot be written is none.
    snapshot(&mut place, "second");
    let published = place.publish().unwrap();
    assert!(published.new && published.changes == "nothing changed; another tree", "{}", published.changes);
    let second = offered(&place).trees["own"].clone();
    assert!(second.tree != first.tree && second.depth == 2);
    place.trees = Some([("own".to_owned(), Snapshot::Unwritten("full".into()))].into());
    assert!(!place.publish().unwrap().new);
    place.trees = None;
    assert!(!place.publish().unwrap().new, "nobody looked");

    place.roll_back(None).unwrap();
    let back = offered(&place).trees["own"].clone();
    assert_eq!((back.tree.as_str(), back.depth), (first.tree.as_str(), 3), "the old tree by a new commit");
    assert_eq!(told(&place), format!("{}\trefs/heads/main\n", back.commit));
    let store = place.releases().directory().join("tree/own.git/objects");
    for Tree { commit, .. } in [&first, &second, &back] {
        assert!(store.join(&commit[..2]).join(&commit[2..]).exists(), "{commit}");
    }

    // What may not be handed on any more is not offered, and nothing of it stays.
    place.trees = Some([("own".to_owned(), Snapshot::Withheld("it is private".into()))].into());
    assert!(place.publish().unwrap().new);
    let without = offered(&place);
    assert!(without.trees.is_empty() && without.withheld["own"] == "it is private");
    assert!(!store.exists());
}

#[test]
fn another_key_signs_a_commit_of_the_same_tree() {
    let mut place = Place::new();
    let key = |name: &str, works| {
        Some(Signatory { fingerprint: name.into(), public: b"it".to_vec(), signer: Pen(works) })
    };
    place.key = key("A", true);
    place.add("a-1", 1, GPKG);
    // No package is needed for this.
    place.offer.packages.clear();
    snapshot(&mut place, "first");
    place.publish().unwrap();
    let first = offered(&place).trees["own"].clone();
    place.key = key("B", true);
    assert!(place.publish().unwrap().new);
    let second = offered(&place).trees["own"].clone();
    assert!(second.commit != first.commit && second.tree == first.tree);

    // The packages do not wait for it.
    snapshot(&mut place, "second");
    place.key = key("B", false);
    let published = place.publish().unwrap();
    assert_eq!(offered(&place).trees["own"], second);
    assert!(
        published.trees[0].ends_with("stays as it was offered before: gpg: the agent is gone"),
        "{:?}",
        published.trees
    );
    assert_eq!(told(&place), format!("{}\trefs/heads/main\n", second.commit));
}
