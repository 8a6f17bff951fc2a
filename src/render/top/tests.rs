//! The screen in its states and sizes.

use std::fmt::Write as _;

use insta::assert_snapshot;
use proptest::prelude::*;

use super::*;
use crate::model::records::CycleRow;
use crate::model::status::{CycleInfo, Progress, ReleaseInfo, Status, SyncInfo};
use crate::model::told::Left;
use crate::render::tests::pages::{cycle, lefts};
use crate::render::tests::{at, broken, building, status, waiting};

const LOOK: Look = Look { colour: true, unicode: true, width: None };
const SMALL: (u16, u16) = (80, 24);
const LARGE: (u16, u16) = (200, 60);

/// What a test changes of a screen.
struct Scene {
    status: Status,
    lost: Option<String>,
    left: Vec<Left>,
    cycles: Vec<CycleRow>,
    log: Log,
    place: Place,
    foot: Foot,
    look: Look,
}

impl Scene {
    fn of(status: Status) -> Self {
        let mut log = Log::new("sys-libs/zlib-1.3.1-r1".into(), false);
        let lines = (1..=200).map(|n| format!("x86_64-pc-linux-gnu-gcc -O2 -pipe -c file{n}.c -o file{n}.o"));
        log.push(lines.collect(), "checking for x... ".into());
        Self {
            status,
            lost: None,
            left: lefts(),
            cycles: vec![cycle(12), cycle(11)],
            log,
            place: Place::default(),
            foot: Foot::Keys,
            look: LOOK,
        }
    }

    fn view(&self) -> View<'_> {
        View {
            status: &self.status,
            lost: self.lost.as_deref(),
            left: &self.left,
            cycles: &self.cycles,
            log: &self.log,
            place: &self.place,
            foot: &self.foot,
            look: self.look,
        }
    }

    fn drawn(&self, (width, height): (u16, u16)) -> Buffer {
        let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
        top(&self.view(), buffer.area, &mut buffer);
        buffer
    }

    fn text(&self, size: (u16, u16)) -> String {
        text(&self.drawn(size))
    }
}

/// The characters of a screen, row by row.
fn text(buffer: &Buffer) -> String {
    let mut text = String::new();
    for y in 0..buffer.area.height {
        let row: String = (0..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect();
        let _ = writeln!(text, "{}", row.trim_end());
    }
    text
}

fn first_build() -> Scene {
    let mut status = building();
    status.cycle = Some(CycleInfo { id: 1, started: at(62), reason: "first".into() });
    Scene { cycles: Vec::new(), ..Scene::of(status) }
}

fn paused() -> Scene {
    let mut scene = Scene { left: Vec::new(), ..Scene::of(broken()) };
    scene.place.pane = Pane::Failed;
    scene
}

fn rests() -> Scene {
    let mut status = waiting();
    status.release =
        Some(ReleaseInfo { id: "2026-11-22.1".into(), packages: 213, published: at(20), again: None });
    let mut scene = Scene { left: Vec::new(), ..Scene::of(status) };
    scene.place.pane = Pane::Around;
    scene
}

fn degraded() -> Scene {
    let mut status = status(
        Mode::Degraded,
        "wait",
        "degraded: the supervisor died 5 times within 10 min (exit code 101 the last time). Try again with: gbsup resume",
    );
    status.progress = Progress::default();
    status.cycle = None;
    status.sync = SyncInfo::default();
    status.log = None;
    let mut log = Log::default();
    log.problem = Some("Nothing is logged yet.".into());
    Scene { left: Vec::new(), cycles: Vec::new(), log, ..Scene::of(status) }
}

#[test]
fn the_first_build() {
    assert_snapshot!("first_build_80x24", first_build().text(SMALL));
    assert_snapshot!("first_build_200x60", first_build().text(LARGE));
}

#[test]
fn paused_by_two_failures() {
    assert_snapshot!("paused_80x24", paused().text(SMALL));
    assert_snapshot!("paused_200x60", paused().text(LARGE));
}

#[test]
fn waiting_for_the_next_cycle() {
    assert_snapshot!("waiting_80x24", rests().text(SMALL));
    assert_snapshot!("waiting_200x60", rests().text(LARGE));
}

#[test]
fn no_supervisor_any_more() {
    assert_snapshot!("degraded_80x24", degraded().text(SMALL));
    assert_snapshot!("degraded_200x60", degraded().text(LARGE));
}

#[test]
fn the_keys_take_the_place_of_the_lists() {
    let mut scene = first_build();
    scene.place.help = true;
    assert_snapshot!("keys_80x24", scene.text(SMALL));
}

#[test]
fn the_headline_is_that_of_every_other_view() {
    for scene in [first_build(), paused(), rests(), degraded()] {
        // Wide enough for it to be one row.
        let drawn = scene.text((300, 40));
        assert_eq!(drawn.lines().next(), Some(scene.status.headline.as_str()));
    }
}

#[test]
fn what_to_do_is_on_every_screen_that_has_room_for_it() {
    let mut scene = paused();
    scene.status.warnings = (0..50).map(|n| format!("warning {n}")).collect();
    for size in [(80, 24), (60, 16), (40, 20), (200, 60), (80, 9)] {
        let drawn = scene.text(size);
        let words = drawn.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            words.contains("gbsup logs --failed") && words.contains("then: gbsup resume"),
            "{size:?}\n{drawn}"
        );
    }
}

#[test]
fn who_is_not_heard_is_said_first() {
    let mut scene = first_build();
    scene.lost = Some("no supervisor answers at /run/x: it went away; waiting for it for 12 s".into());
    let drawn = scene.text(SMALL);
    assert!(
        drawn.starts_with("no supervisor answers at /run/x: it went away; waiting for it for 12 s\n"),
        "{drawn}"
    );
    assert!(drawn.contains("running: building 12 of 57"), "{drawn}");
}

#[test]
fn a_question_and_its_answer_have_the_last_row() {
    let mut scene = first_build();
    for (foot, row) in [
        (Foot::Question("Sync now?".into()), "Sync now? (y/n)"),
        (Foot::Asking("sync".into()), "sync ..."),
        (Foot::Answer("remembered".into()), "remembered"),
        (Foot::Refusal("no \u{1b}[2J".into()), "no \\x1b[2J"),
    ] {
        scene.foot = foot;
        assert_eq!(scene.text(SMALL).lines().last(), Some(row));
    }
    scene.foot = Foot::Answer(format!("trying again what still fails: {}", "a/package-1 ".repeat(12)));
    let drawn = scene.text(SMALL);
    assert_eq!(drawn.matches("a/package-1").count(), 12, "{drawn}");
    assert_eq!(drawn.lines().count(), 24);
}

#[test]
fn the_log_is_followed_or_shown_where_somebody_went() {
    let mut scene = first_build();
    let drawn = scene.text(SMALL);
    assert!(drawn.contains(" follows ") && drawn.contains("checking for x..."), "{drawn}");
    scene.place.end = Some(100);
    let drawn = scene.text(SMALL);
    assert!(drawn.contains("to 100 of 201; G follows again"), "{drawn}");
    assert!(drawn.contains("file100.c") && !drawn.contains("file101.c"), "{drawn}");
    // As far as there is a log at all.
    scene.place.end = Some(0);
    assert!(scene.text(SMALL).contains("file1.c"));
    scene.place.across = 20;
    assert!(scene.text(SMALL).contains("-O2 -pipe -c file1.c") && !scene.text(SMALL).contains("x86_64"));
}

#[test]
fn without_colours_and_lines_it_says_the_same() {
    let mut scene = paused();
    scene.look = Look { colour: false, unicode: false, width: None };
    let buffer = scene.drawn(SMALL);
    assert!(buffer.content.iter().all(|cell| cell.fg == ratatui::style::Color::Reset));
    let drawn = text(&buffer);
    assert!(drawn.is_ascii(), "{drawn}");
    assert!(drawn.contains("> app-misc/broken-1.0"), "{drawn}");
}

#[test]
fn what_is_chosen_is_in_sight() {
    let mut scene = first_build();
    scene.left = (0..500).map(|n| Left { package: format!("a/b-{n}"), ..lefts().remove(0) }).collect();
    scene.place.pane = Pane::Next;
    for chosen in [0, 1, 7, 250, 499, 5000] {
        scene.place.choose(Pane::Next, chosen);
        for size in [SMALL, LARGE, (50, 12)] {
            let drawn = scene.text(size);
            assert!(drawn.contains(&format!("▸ a/b-{} ", chosen.min(499))), "{chosen} at {size:?}\n{drawn}");
        }
    }
}

#[test]
fn words_of_others_are_words() {
    let hostile = "\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}31m\u{202e}\r\nx";
    let mut scene = paused();
    let status = &mut scene.status;
    status.headline = format!("paused: {hostile}");
    status.jobs = building().jobs;
    status.jobs[0].package = hostile.into();
    status.jobs[0].phase = hostile.into();
    status.warnings = vec![hostile.into()];
    status.volume.path = hostile.into();
    let pause = status.pause.as_mut().unwrap();
    pause.actions = vec![hostile.into()];
    pause.failures[0].package = Some(hostile.into());
    pause.failures[0].message = hostile.into();
    pause.failures[0].suggestions = vec![hostile.into()];
    scene.left = vec![Left { package: hostile.into(), before: vec![hostile.into()], ..lefts().remove(0) }];
    scene.cycles[0].releases = vec![crate::model::records::ReleaseRow {
        release: hostile.into(),
        packages: 1,
        at: at(1),
        again: None,
    }];
    scene.log = Log::new(hostile.into(), false);
    scene.log.push(vec![hostile.into(); 30], hostile.into());
    scene.lost = Some(hostile.into());
    for size in [SMALL, LARGE] {
        for pane in Pane::ALL {
            scene.place.pane = pane;
            let buffer = scene.drawn(size);
            let bad = |c: char| c.is_control() || crate::render::is_directional(c);
            let found: Vec<_> = buffer.content.iter().filter(|cell| cell.symbol().contains(bad)).collect();
            assert!(found.is_empty(), "{found:?}");
        }
    }
}

proptest! {
    #[test]
    fn no_size_is_too_small_or_too_large(
        width in 1..260u16,
        height in 1..90u16,
        state in 0..4usize,
        pane in 0..5usize,
        in_log in any::<bool>(),
        help in any::<bool>(),
        end in proptest::option::of(0..400u64),
        chosen in 0..9usize,
        across in 0..400u16,
    ) {
        let mut scene = [first_build, paused, rests, degraded][state]();
        let pane = Pane::ALL[pane];
        scene.place = Place { pane, in_log, end, across, help, ..Place::default() };
        scene.place.choose(pane, chosen);
        let buffer = scene.drawn((width, height));
        // The first row is never without a word of the headline.
        prop_assert!(buffer[(0, 0)].symbol() != " ");
        let view = scene.view();
        let areas = areas(&view, buffer.area);
        let rows = areas.head.height + areas.foot.height;
        prop_assert!(rows <= height);
    }
}
