//! Pages for browsers. Each is a pure function of values, useful without its script; text becomes markup only here, by
//! [`Markup`], which nothing but a template of this room makes.
//!
//! A page consists of parts with names. A page that is kept open is sent those that have changed, so that what a person
//! reads, selects or has opened stays where it is.

mod beside;
mod compare;
mod cycles;
mod directory;
mod farm;
mod frame;
mod gantt;
mod log;
mod now;
mod packages;
mod parts;
mod plan;
mod releases;

use maud::Markup;

pub use compare::compare;
pub use cycles::{cycle, cycles};
pub use directory::directory;
pub use farm::farm;
pub use frame::{Frame, document};
pub use log::{Log, log, log_lines, log_list};
pub use now::now;
pub use packages::{about, packages};
pub use parts::{coded_log, log_address, without_ages};
pub use plan::plan;
pub use releases::{release, releases};

use crate::model::records::CycleRow;
use crate::model::status::{Mode, Status, Why};
use crate::model::told::Left;

/// How all of them look.
pub const STYLE: &str = include_str!("page.css");
/// What keeps an open page up to date.
pub const SCRIPT: &str = include_str!("page.js");

/// What keeps the page of a log up to date.
pub const LOG_SCRIPT: &str = include_str!("log.js");

/// How urgent what a page shows is: the colour of its first word, and of the icon in the browser's tab.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// There is nothing to say about it.
    #[default]
    Plain,
    /// It works.
    Run,
    /// It is done and well.
    Well,
    /// It is on its way or held on purpose.
    Held,
    /// A person is needed.
    Bad,
}

impl Tone {
    /// That of a builder.
    #[must_use]
    pub fn of(status: &Status) -> Self {
        match (status.state, status.pause.as_ref().map(|pause| pause.why)) {
            (Mode::Paused, Some(Why::Operator)) | (Mode::Starting | Mode::Stopping, _) => Self::Held,
            (Mode::Paused | Mode::Degraded, _) => Self::Bad,
            (Mode::Running, _) => Self::Run,
            (Mode::Waiting, _) => Self::Well,
        }
    }

    /// Its name in the style sheet and in the address of the icon.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Run => "run",
            Self::Well => "well",
            Self::Held => "held",
            Self::Bad => "bad",
        }
    }
}

/// The icon in the browser's tab.
#[must_use]
pub fn icon(tone: &str) -> String {
    let colour = match tone {
        "run" => "#3b74e0",
        "well" => "#2e8b4a",
        "held" => "#b98900",
        "bad" => "#d0402f",
        _ => "#7d818c",
    };
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 16 16\"><rect width=\"16\" height=\"16\" rx=\"4\" \
         fill=\"{colour}\"/><path d=\"M4 5h8v2H4zm0 4h8v2H4z\" fill=\"#fff\"/></svg>\n"
    )
}

/// A page.
#[derive(Debug, Default)]
pub struct Page {
    /// In the browser's tab.
    pub title: String,
    /// See there.
    pub tone: Tone,
    /// The path of the entry of the menu that it is below.
    pub below: &'static str,
    /// When a part says something new of this kind, whoever cannot see it is told.
    pub key: String,
    /// Its parts from above, each with its name, as wide as the page.
    pub parts: Vec<(&'static str, Markup)>,
    /// What follows in the wider of two columns.
    pub column: Vec<(&'static str, Markup)>,
    /// What stands beside that, or below it on a small screen.
    pub aside: Vec<(&'static str, Markup)>,
    /// Where changes of it come from, when it is kept up to date.
    pub live: Option<&'static str>,
    /// A script of its own.
    pub script: Option<&'static str>,
}

/// What a browser is shown where nothing is, in one sentence.
#[must_use]
pub fn missing(sentence: &str) -> Page {
    let said = maud::html! {
        h1 { (parts::text(sentence)) }
        p.sub { a href="/" { "how the builder is" } }
    };
    Page { title: sentence.to_owned(), parts: vec![("missing", said)], ..Page::default() }
}

/// What is known of a builder.
#[derive(Clone, Copy, Debug)]
pub struct Builder<'a> {
    /// What it is called.
    pub name: &'a str,
    /// How it is; absent when nobody tells.
    pub status: Option<&'a Status>,
    /// What is left to do.
    pub left: &'a [Left],
    /// Its cycles, the newest first.
    pub cycles: &'a [&'a CycleRow],
    /// The volume, when the logs on it may be read.
    pub logs: Option<&'a str>,
}

/// The first of a list, and how many there are besides.
fn first<T>(list: &[T], most: usize) -> (&[T], usize) {
    let shown = &list[..list.len().min(most)];
    (shown, list.len() - shown.len())
}
