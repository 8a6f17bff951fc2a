//! What is on the screen, before it has a size.

use super::kept::Log;
use super::place::Place;
use crate::model::records::CycleRow;
use crate::model::status::Status;
use crate::model::told::Left;
use crate::render::Look;

/// What the last row has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Foot {
    /// The keys.
    #[default]
    Keys,
    /// A question that is answered by y or n.
    Question(String),
    /// It was asked for, and nobody has answered yet.
    Asking(String),
    /// What the builder says.
    Answer(String),
    /// Why it does not do what it was asked.
    Refusal(String),
}

/// All that is on the screen.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// How the builder is.
    pub status: &'a Status,
    /// That it is not heard any more, and since when.
    pub lost: Option<&'a str>,
    /// What is still to be merged.
    pub left: &'a [Left],
    /// The newest cycles, the newest first.
    pub cycles: &'a [CycleRow],
    /// The log that is shown.
    pub log: &'a Log,
    /// Where somebody is.
    pub place: &'a Place,
    /// What the last row has.
    pub foot: &'a Foot,
    /// What the terminal can show; the width is that of the area.
    pub look: Look,
}
