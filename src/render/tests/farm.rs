//! Several builders in a table.

use insta::assert_snapshot;

use super::pages::{named, outline};
use super::*;
use crate::model::farm::{Away, Brief, FARM_SCHEMA, Farm, Member};
use crate::render::html::{self, Tone};

fn member(name: &str, status: Option<&Status>, away: Option<(i64, &str)>) -> Member {
    Member {
        name: name.into(),
        url: Some(format!("http://{name}")),
        status: status.map(Brief::of),
        heard: status.map(|_| at(3)),
        away: away.map(|(minutes, why)| Away { since: at(minutes), why: why.into() }),
    }
}

fn several() -> Farm {
    let mut done = waiting();
    done.release =
        Some(ReleaseInfo { id: "2026-11-22.1".into(), packages: 213, published: at(1500), again: None });
    let mut held = broken();
    held.pause = held.pause.map(|pause| PauseInfo { why: Why::Operator, failures: Vec::new(), ..pause });
    let builders = vec![
        Member::own("here", Some(&building())),
        member("desktop:8080", Some(&broken()), None),
        member(
            "laptop:8080",
            Some(&done),
            Some((12, "laptop (10.0.0.7) cannot be reached: Connection refused")),
        ),
        member("10.0.0.8:8080", Some(&done), None),
        member("10.0.0.9:8080", Some(&held), None),
        member("new:8080", None, None),
        member("nowhere", None, Some((0, "the host nowhere is not known"))),
    ];
    Farm { schema: FARM_SCHEMA, builders }
}

#[test]
fn several_builders_on_a_terminal() {
    let wide = farm(&several(), at(0), Look { width: Some(150), ..WIDE });
    assert_snapshot!(format!(
        "{wide}\n{}\n{}",
        farm(&several(), at(0), WIDE),
        farm(&several(), at(0), Look::PLAIN)
    ));
}

#[test]
fn several_builders_in_a_browser() {
    let page = html::farm(&several(), at(0));
    assert_eq!(
        (page.tone, page.title.as_str()),
        (Tone::Bad, "7 builders: 1 needs a person, 2 are away, 1 builds")
    );
    assert_snapshot!(outline(&html::document(&page, named("here"))));
    let alone = Farm { builders: several().builders.split_off(3)[..1].to_vec(), ..several() };
    let page = html::farm(&alone, at(0));
    assert_eq!((page.tone, page.title.as_str()), (Tone::Well, "1 builder"));
}

#[test]
fn what_others_say_is_text() {
    const EVIL: &str = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&amp;\u{1b}[2J\u{202e}\n";
    let mut status = broken();
    for text in [&mut status.headline, &mut status.step, &mut status.version] {
        EVIL.clone_into(text);
    }
    status.release = Some(ReleaseInfo { id: EVIL.into(), packages: 1, published: at(20), again: None });
    let evil = Member { url: Some("http://evil".into()), ..member(EVIL, Some(&status), Some((5, EVIL))) };
    let farm = Farm { builders: vec![evil], ..several() };
    let page = html::document(&html::farm(&farm, at(0)), named("b"));
    assert_eq!(page.matches("<script").count(), 1, "{page}");
    assert!(!page.contains("<img") && !page.contains('\u{1b}') && !page.contains('\u{202e}'), "{page}");
    for tag in page.split('<').skip(1).map(|piece| piece.split('>').next().unwrap()) {
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
    }
    for look in [Look::PLAIN, WIDE] {
        let text = super::farm(&farm, at(0), look);
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text}");
    }
    assert_eq!(super::farm(&farm, at(0), Look::PLAIN).lines().count(), 1);
}
