//! An ebuild that bash cannot read. Portage then has no metadata of it and plans nothing at all, also where nobody asked for
//! that package by name (`_emerge/EbuildMetadataPhase.py`, `_emerge/depgraph.py`).

use crate::model::Ran;
use crate::model::failure::{Class, Failure};
use crate::portage::command::show_line;
use crate::portage::names::cpv::Cpv;

/// The phase in which Portage reads an ebuild for its metadata.
pub(super) const PHASE: &str = "depend";

/// What to do about it. Neither `--exclude` nor a mask is any help: its metadata are read all the same. `said` are the words with
/// which `die` was called; bash has named the line before.
pub(super) fn unreadable(package: &Cpv, said: &str, ran: &Ran) -> Failure {
    let place = ran.evidence.tail.iter().find_map(|line| place(line, package));
    let mut suggestions = Vec::new();
    if let Some((file, line, _)) = place {
        suggestions.push(show_line(file, line));
    }
    suggestions.push("gbsup sync".to_owned());
    let message = match place {
        Some((file, line, words)) => format!("{said}: {file}, line {line}: {words}"),
        None => said.to_owned(),
    };
    Failure { phase: Some(PHASE.to_owned()), suggestions, ..Failure::new(Class::Compile, message) }
}

/// `FILE: line N: WORDS` about the ebuild; emerge may have printed something before it on the same line.
fn place<'a>(text: &'a str, package: &Cpv) -> Option<(&'a str, u32, &'a str)> {
    let (file, rest) = text.split_once(".ebuild: line ")?;
    let (line, words) = rest.split_once(": ")?;
    if !file.ends_with(&format!("/{}/{}", package.cp(), package.pf())) {
        return None;
    }
    let begin = file.find(" /").map(|at| at + 1).or_else(|| file.find('/'))?;
    let file = &text[begin..file.len() + ".ebuild".len()];
    Some((file, line.parse().ok()?, words.trim()))
}
