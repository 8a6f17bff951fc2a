//! What clients are offered with a signature, and with whose.

use super::*;

/// Portage may have signed it, or it came from a binhost that did.
#[test]
fn what_is_signed_already_stays_so_or_is_signed_anew() {
    let mut place = Place::new();
    let theirs = signing::signed(GPKG).unwrap();
    place.add("a-1", 1, &theirs);
    let content = |place: &Place| {
        let release = place.sound();
        fs::read(place.releases().place(release.id).join(&release.packages[0].path)).unwrap()
    };
    place.publish().unwrap();
    assert_eq!(content(&place), theirs);

    place.key = Some(Signatory { fingerprint: "A".repeat(40), public: b"A".to_vec(), signer: Pen(true) });
    place.publish().unwrap();
    let ours = content(&place);
    assert!(verify(&ours[..], ours.len() as u64).unwrap().is_signed);
    let has = |text: &[u8]| ours.windows(text.len()).any(|part| part == text);
    assert!(has(b"signed") && !has(b"signed 3726 bytes"), "the old signatures are gone");

    place.key = None;
    place.publish().unwrap();
    assert_eq!(content(&place), theirs);
}

#[test]
fn who_goes_back_across_keys_offers_what_clients_trust_now() {
    let mut place = Place::new();
    let key = |digit: &str| {
        Some(Signatory { fingerprint: digit.repeat(40), public: digit.into(), signer: Pen(true) })
    };
    place.add("a-1", 1, GPKG);
    place.publish().unwrap();
    let unsigned = place.releases().current().unwrap().to_string();
    place.key = key("A");
    place.publish().unwrap();
    let other = place.releases().current().unwrap().to_string();
    place.key = key("B");
    place.publish().unwrap();
    for id in [&unsigned, &other] {
        place.roll_back(Some(id)).unwrap();
        let release = place.sound();
        assert_eq!(release.signed, Some("B".repeat(40)), "{id}");
        assert_eq!(release.packages[0].source(), Whole::read(GPKG).unwrap().sha1, "made of the same file");
        place.publish().unwrap();
    }
    // Without that key clients would be offered what they refuse.
    let trusted = place.releases().current();
    for key in [None, key("C")] {
        place.key = key;
        let refused = place.roll_back(Some(&unsigned)).unwrap_err();
        assert!(matches!(refused, Error::Distrusted { .. }), "{refused}");
        assert!(refused.to_string().contains(&format!("gbsup rollback {unsigned} --unsigned")), "{refused}");
        assert_eq!(place.releases().current(), trusted);
    }
    let to = Some(unsigned.parse().unwrap());
    roll_back(place.volume(), to, place.key.as_ref(), true, place.now + SignedDuration::from_hours(1))
        .unwrap();
    assert_eq!(place.sound().signed, None);
}

#[test]
fn signed_copies_are_made_once_for_each_key() {
    let mut place = Place::new();
    let key = |digit: &str, writes| {
        Some(Signatory { fingerprint: digit.repeat(40), public: digit.into(), signer: Pen(writes) })
    };
    let copy = |place: &Place| {
        let release = place.sound();
        let path = place.releases().place(release.id).join(&release.packages[0].path);
        (inode(&path), fs::read(path).unwrap(), release)
    };
    place.add("a-1", 1, GPKG);
    place.publish().unwrap();
    let (unsigned, content, release) = copy(&place);
    assert_eq!((content.as_slice(), release.signed), (GPKG, None));

    // From now on they are signed, which PKGDIR does not see.
    place.key = key("A", true);
    assert!(place.publish().unwrap().new);
    let (first, content, release) = copy(&place);
    assert_ne!(first, unsigned);
    assert_eq!(fs::read(place.pkgdir().join(&release.packages[0].path)).unwrap(), GPKG);
    assert!(verify(&content[..], content.len() as u64).unwrap().is_signed);
    assert_eq!(release.packages[0].source(), Whole::read(GPKG).unwrap().sha1);
    assert_eq!(release.signed, place.key.as_ref().map(|key| key.fingerprint.clone()));
    assert_eq!(fs::read(place.releases().directory().join(PUBLIC_KEY)).unwrap(), b"A");
    assert!(!place.publish().unwrap().new);
    place.add("b-1", 1, GPKG);
    place.publish().unwrap();
    assert_eq!(copy(&place).0, first);

    // Who signed the old ones does not matter.
    place.key = key("B", true);
    assert!(place.publish().unwrap().new);
    let (second, ..) = copy(&place);
    assert_ne!(second, first);

    // Nothing that is half signed is ever offered.
    let before = (place.releases().current(), place.names());
    place.add("c-1", 1, GPKG);
    place.key = key("B", false);
    let failure = place.publish().unwrap_err();
    assert_eq!(failure.to_string(), "app-misc/c/c-1-1.gpkg.tar cannot be signed: the agent is gone");
    place.key = key("B", true);
    place.add("c-1", 1, &GPKG[..5000]);
    let failure = place.publish().unwrap_err();
    assert!(matches!(&failure, Error::Unsigned { why: Unsigned::Damaged(_), .. }), "{failure}");
    assert_eq!((place.releases().current(), place.names()), before);
    let id = before.0.unwrap();
    place.add("c-1", 1, GPKG);
    place.publish().unwrap();
    place.roll_back(Some(&id.to_string())).unwrap();
    assert_eq!(copy(&place).0, second);

    // Clients get the key of what they are offered, also where somebody wants what another key signed.
    let offered = |place: &Place| fs::read(place.releases().directory().join(PUBLIC_KEY)).unwrap();
    assert_eq!(offered(&place), b"B");
    let to = Some("2026-11-22.2".parse().unwrap());
    place.now += SignedDuration::from_secs(60);
    roll_back(place.volume(), to, place.key.as_ref(), true, place.now).unwrap();
    assert_eq!((copy(&place).0, offered(&place)), (first, b"A".to_vec()));
    let keys = ["A", "B"].map(|digit| fs::read(place.releases().public_key(&digit.repeat(40))).unwrap());
    assert_eq!(keys, [b"A", b"B"]);
}
