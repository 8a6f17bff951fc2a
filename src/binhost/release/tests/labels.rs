//! What people say of releases, and that it is heeded.

use super::*;
use crate::binhost::release::labels::label;

#[test]
fn what_a_person_keeps_is_not_pruned() {
    let mut place = Place::new();
    for version in 1..=6 {
        place.add(&format!("a-{version}"), 1, "x".repeat(version));
        place.publish().unwrap();
        fs::remove_file(place.pkgdir().join(&place.offer.packages[0].path)).unwrap();
    }
    let (releases, later) = (place.releases(), place.now + SignedDuration::from_hours(25));
    let ids = releases.ids();
    let expired = || expired(place.volume(), 3, later).iter().map(|gone| gone.id).collect::<Vec<_>>();
    let keep =
        |id: Id, keep: bool| label(&releases, id, |labels| labels.labels.entry(id).or_default().keep = keep);
    assert_eq!(expired(), ids[..3]);
    assert_eq!(keep(ids[1], true).unwrap().in_words(), "kept");
    // It takes nobody's place among those that are kept anyway.
    assert_eq!(expired(), [ids[0], ids[2]]);
    assert_eq!(remove(&releases.place(ids[1])).unwrap_err().kind(), io::ErrorKind::ResourceBusy);
    // Words of a newer version stay.
    let file = releases.directory().join("labels.json");
    let text =
        fs::read_to_string(&file).unwrap().replace("\"keep\": true", "\"keep\": true, \"colour\": \"red\"");
    fs::write(&file, text).unwrap();
    label(&releases, ids[1], |labels| labels.tag(ids[1], "good")).unwrap();
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains("red") && text.contains("good"), "{text}");
    assert_eq!(keep(ids[1], false).unwrap().in_words(), "good");
    assert_eq!(expired(), ids[..3]);
    // Where nobody knows what is to stay, all of it does, and nothing is written over.
    fs::write(&file, "{").unwrap();
    assert_eq!(expired(), []);
    assert!(keep(ids[1], true).is_err() && fs::read_to_string(&file).unwrap() == "{");
    assert!(matches!(keep("2020-01-01.1".parse().unwrap(), true), Err(Error::Unknown(_))));
}
