//! Releases that are not what a publisher left: by a bad disk, a copied volume, another version, or by hand.

use std::time::Duration;

use super::*;

/// So that the time of a file is another one, in whole seconds.
const LATER: Duration = Duration::from_hours(1);

/// What a `release.json` may be, and what is said of it.
const PAPERS: &[(&str, &str)] = &[
    ("", "cannot be understood: EOF while parsing a value at line 1 column 0"),
    ("{\"schema\": 1, \"id\": \"2026-11", "cannot be understood: EOF while parsing a string"),
    ("not JSON", "cannot be understood: expected"),
    ("{\"schema\": 7, \"another\": {}}", "is of a later version of gbsup (its format is 7)"),
];

fn paper(place: &Place, id: Id) -> PathBuf {
    place.releases().place(id).join(RELEASE)
}

#[test]
fn one_that_does_not_say_what_it_is_is_replaced_and_can_be_gone_back_from() {
    for (text, said) in PAPERS {
        let mut place = Place::new();
        place.add("a-1", 1, "one");
        let first = place.publish().unwrap().current.id;
        place.add("a-2", 1, "two");
        let second = place.publish().unwrap().current;
        fs::write(paper(&place, second.id), text).unwrap();
        let error = place.releases().read(second.id).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
        // Clients take another one over, although the clock was set back.
        place.now -= SignedDuration::from_hours(48);
        let third = place.publish().unwrap();
        assert!(third.new && third.current.id > second.id && third.current.published > second.published);
        assert_eq!(place.sound().packages[0].cpv, cpv("a-2"));
        fs::write(paper(&place, third.current.id), text).unwrap();
        let back = place.roll_back(Some(&first.to_string())).unwrap();
        assert!(back > third.current.id);
        assert_eq!(place.sound().packages[0].cpv, cpv("a-1"));
    }
}

#[test]
fn one_of_a_later_version_is_never_taken_for_one_of_this() {
    let mut place = Place::new();
    place.add("a-1", 1, "one");
    let id = place.publish().unwrap().current.id;
    let text = fs::read_to_string(paper(&place, id)).unwrap();
    fs::write(paper(&place, id), text.replacen("\"schema\": 1", "\"schema\": 2", 1)).unwrap();
    assert!(matches!(place.releases().read(id), Err(Error::Later { schema: 2, .. })));
}

#[test]
fn times_go_up_also_when_nothing_but_the_index_tells_them() {
    let mut place = Place::new();
    place.add("a-1", 1, "one");
    let first = place.publish().unwrap().current;
    fs::write(paper(&place, first.id), "").unwrap();
    fs::remove_file(place.volume().join("state/releases.json")).unwrap();
    place.now -= SignedDuration::from_hours(48);
    let second = place.publish().unwrap().current;
    assert_eq!(second.published, first.published + SignedDuration::from_secs(1));
    assert!(second.id > first.id);
}

#[test]
fn one_without_an_index_is_replaced() {
    let mut place = Place::new();
    place.add("a-1", 1, "one");
    let id = place.publish().unwrap().current.id;
    fs::remove_file(place.releases().place(id).join(PACKAGES)).unwrap();
    assert!(place.publish().unwrap().new);
    place.sound();
    let error = place.roll_back(Some(&id.to_string())).unwrap_err().to_string();
    assert_eq!(error, format!("release {id} is not complete: Packages is not there"));
    // All of it but the directory is gone.
    fs::remove_file(paper(&place, id)).unwrap();
    let error = place.roll_back(Some(&id.to_string())).unwrap_err().to_string();
    assert_eq!(error, format!("release {id} is not complete: release.json is not there"));
}

/// What happens to the file of a package in a release, of which PKGDIR has one of its own or the same.
type Damage = fn(&Path, &Path);

#[test]
fn a_package_that_the_release_before_has_not_as_it_was_comes_from_pkgdir() {
    let gone: Damage = |file, _| fs::remove_file(file).unwrap();
    let short: Damage = |file, _| {
        fs::remove_file(file).unwrap();
        fs::write(file, "on").unwrap();
    };
    let other: Damage = |file, _| {
        fs::remove_file(file).unwrap();
        fs::write(file, "eno").unwrap();
        let later = fs::metadata(file.parent().unwrap()).unwrap().modified().unwrap() + LATER;
        fs::File::options().write(true).open(file).unwrap().set_modified(later).unwrap();
    };
    let only_there: Damage = |_, built| fs::remove_file(built).unwrap();
    for (what, damage) in [("gone", gone), ("short", short), ("other", other), ("only there", only_there)] {
        let mut place = Place::new();
        place.add("a-1", 1, "one");
        place.add("b-1", 1, "bee");
        let id = place.publish().unwrap().current.id;
        place.add("c-1", 1, "sea");
        let path = &place.offer.packages[0].path;
        damage(&place.releases().place(id).join(path), &place.pkgdir().join(path));
        assert_eq!(place.publish().unwrap().changes, "1 added", "{what}");
        assert_eq!(place.sound().packages.len(), 3, "{what}");
    }
}

#[test]
fn a_file_that_was_written_to_in_its_place_is_found() {
    let mut place = Place::new();
    place.add("a-1", 1, "one");
    place.publish().unwrap();
    place.add("b-1", 1, "bee");
    let file = place.pkgdir().join(&place.offer.packages[0].path);
    let later = fs::metadata(&file).unwrap().modified().unwrap() + LATER;
    fs::write(&file, "eno").unwrap();
    fs::File::options().write(true).open(&file).unwrap().set_modified(later).unwrap();
    let error = place.publish().unwrap_err().to_string();
    assert!(error.ends_with("its SHA1 is another one"), "{error}");
}

#[test]
fn a_link_to_nothing_is_led_to_the_next_release() {
    let mut place = Place::new();
    place.add("a-1", 1, "one");
    let first = place.publish().unwrap().current;
    fs::rename(place.releases().place(first.id), place.volume().join("moved")).unwrap();
    assert!(matches!(place.roll_back(None), Err(Error::Nothing)));
    let second = place.publish().unwrap().current;
    assert!(second.id > first.id && second.published > first.published);
    place.sound();
}

#[test]
fn a_directory_where_a_link_should_be_is_told_and_nothing_piles_up() {
    let mut place = Place::new();
    place.add("a-1", 1, "one");
    place.publish().unwrap();
    let link = place.releases().directory().join("current");
    fs::remove_file(&link).unwrap();
    fs::create_dir(&link).unwrap();
    let before = place.names();
    place.add("a-2", 1, "two");
    for error in [place.publish().unwrap_err(), place.roll_back(None).unwrap_err()] {
        let said = "current is a directory, and has to be a link to a release; move it away";
        assert!(error.to_string().ends_with(said), "{error}");
    }
    assert_eq!(place.names(), before);
    fs::remove_dir(&link).unwrap();
    place.publish().unwrap();
    place.sound();
}

#[test]
fn a_signature_is_never_left_out_because_the_newest_release_cannot_be_read() {
    let mut place = Place::new();
    place.key = Some(Signatory { fingerprint: "A".repeat(40), public: b"A".into(), signer: Pen(true) });
    place.add("a-1", 1, GPKG);
    place.publish().unwrap();
    place.add("b-1", 1, GPKG);
    let second = place.publish().unwrap().current.id;
    fs::write(paper(&place, second), "").unwrap();
    assert_eq!(place.releases().signed_by(), Some("A".repeat(40)));
}
