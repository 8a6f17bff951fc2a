//! A volume that comes from a backup: clients have an index that is newer than what it offers.

use super::*;

/// What is in a directory, with its times, in the place of what was there.
fn copy(from: &Path, to: &Path) {
    drop(fs::remove_dir_all(to));
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().unwrap();
        if kind.is_symlink() {
            symlink(fs::read_link(from).unwrap(), to).unwrap();
        } else if kind.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(&from, &to).unwrap();
            let modified = entry.metadata().unwrap().modified().unwrap();
            fs::File::options().write(true).open(to).unwrap().set_modified(modified).unwrap();
        }
    }
}

/// The `TIMESTAMP` of what is offered.
fn stamp(place: &Place) -> Timestamp {
    place.releases().read(place.releases().current().unwrap()).unwrap().published
}

#[test]
fn what_clients_have_is_older_than_what_is_published_next() {
    let mut place = Place::new();
    place.add("a-1", 1, "a");
    place.publish().unwrap();
    let aside = tempfile::tempdir().unwrap();
    for directory in ["releases", "state", "binpkgs"] {
        copy(&place.volume().join(directory), &aside.path().join(directory));
    }
    let offer = place.offer.clone();
    place.add("b-1", 1, "b");
    let newest = place.publish().unwrap().current;
    let restore = |place: &mut Place, directories: &[&str]| {
        for directory in directories {
            copy(&aside.path().join(directory), &place.volume().join(directory));
        }
        place.offer = offer.clone();
    };

    // The releases alone: what is remembered of them knows better, also after others have looked.
    restore(&mut place, &["releases", "binpkgs"]);
    sweep(place.volume(), place.now).unwrap();
    let published = place.publish().unwrap();
    assert!(
        published.new && published.changes.contains(&format!("had been offered {}", newest.id)),
        "{}",
        published.changes
    );
    assert!(published.current.id > newest.id && stamp(&place) > newest.published);
    assert!(!place.publish().unwrap().new, "once");

    // All of it, when somebody else remembers; the clock may be wrong.
    let newest = published.current;
    restore(&mut place, &["releases", "state", "binpkgs"]);
    place.now -= SignedDuration::from_hours(48);
    was_offered(place.volume(), newest.id, newest.published).unwrap();
    let published = place.publish().unwrap();
    assert!(
        published.new && published.changes.contains("the volume comes from a backup"),
        "{}",
        published.changes
    );
    assert!(published.current.id > newest.id && stamp(&place) > newest.published);
    assert!(!place.publish().unwrap().new, "once");

    // Going back is none of that.
    place.add("b-1", 1, "b");
    place.publish().unwrap();
    place.roll_back(None).unwrap();
    let changes = place.publish().unwrap().changes;
    assert!(!changes.contains("backup"), "{changes}");
}
