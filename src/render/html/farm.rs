//! Several builders in a table.

use jiff::Timestamp;
use maud::{Markup, html};

use super::parts::text;
use super::{Page, Tone};
use crate::model::farm::{Brief, Farm, Member};
use crate::model::status::Mode;
use crate::render::farm::{Cells, absence, headline, sentence};

/// The page; `now` is when it is read.
#[must_use]
pub fn farm(farm: &Farm, now: Timestamp) -> Page {
    let said = sentence(farm);
    let list = html! {
        h1 { (said) }
        table {
            thead { tr {
                th scope="col" { "builder" }
                th scope="col" { "state" }
                th.wide scope="col" { "step" }
                th.n scope="col" { "done" }
                th.n scope="col" { "left" }
                th.n scope="col" { "failed" }
                th.n.wide scope="col" { "time left" }
                th.n.wide scope="col" { "release" }
                th.n.wide scope="col" { "age" }
            } }
            @for member in &farm.builders { (row(member, now)) }
        }
        p.sub { span { "The builders of " code { "http.peers" } ", asked while somebody looks." } }
    };
    Page {
        title: said.clone(),
        tone: farm.builders.iter().map(tone).max_by_key(|tone| urgency(*tone)).unwrap_or_default(),
        below: "/farm",
        key: said,
        parts: vec![("farm", list)],
        live: Some("/api/v1/events?farm"),
        ..Page::default()
    }
}

fn row(member: &Member, now: Timestamp) -> Markup {
    let cells = Cells::of(member, now);
    let away = absence(member, now);
    html! {
        tbody class=[away.is_some().then_some("gone")] data-tone=(tone(member).name()) {
            tr {
                th scope="row" {
                    a.host href=(member.url.as_deref().unwrap_or("/")) { (text(&member.name)) }
                    @if member.url.is_none() { div.why { "this one" } }
                }
                td { span.state { (cells.state) } }
                td.wide { (text(&cells.step)) }
                td.n { (cells.done) }
                td.n { (cells.left) }
                td.n { @if cells.failed == "0" { "0" } @else { span.bad { (cells.failed) } } }
                td.n.wide { (cells.time) }
                td.n.wide { (text(&cells.release)) }
                td.n.wide { (cells.age) }
            }
            @if away.is_some() || member.status.is_some() {
                tr.note { td colspan="9" {
                    @if let Some(away) = &away { div.bad { (text(away)) } }
                    @if let Some(brief) = &member.status { div { (text(&headline(brief))) } }
                } }
            }
        }
    }
}

fn tone(member: &Member) -> Tone {
    match &member.status {
        _ if member.away.is_some() => Tone::Bad,
        None => Tone::Plain,
        Some(brief) if Brief::needs_a_person(brief) => Tone::Bad,
        Some(brief) => match brief.state {
            Mode::Running => Tone::Run,
            Mode::Waiting => Tone::Well,
            Mode::Starting | Mode::Paused | Mode::Stopping | Mode::Degraded => Tone::Held,
        },
    }
}

/// The tone of the page is that of the builder which needs a person most.
fn urgency(tone: Tone) -> u8 {
    match tone {
        Tone::Plain => 0,
        Tone::Well => 1,
        Tone::Run => 2,
        Tone::Held => 3,
        Tone::Bad => 4,
    }
}
