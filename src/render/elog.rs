//! `gbsup logs --elog`: what ebuilds want to be read.

use anstyle::Style;

use super::clean;
use super::layout::{Layout, Look, plain, styled};
use super::style::{BAD, CAREFUL, LABEL, STRONG};
use crate::portage::output::elog::{Class, ElogEntry};

/// The messages by package, in the order in which they came.
#[must_use]
pub fn elog(entries: &[ElogEntry], look: Look) -> String {
    let mut page = Layout::new(look);
    for entry in entries {
        page.gap();
        let at = entry.at.strftime("%Y-%m-%d %H:%M:%S UTC");
        page.paragraph(2, &[styled(STRONG, clean(&entry.package)), styled(LABEL, format!("  {at}"))]);
        for message in &entry.messages {
            for (index, line) in message.lines.iter().enumerate() {
                let label = if index == 0 { message.class.to_string() } else { String::new() };
                page.row(&label, style(message.class), &[plain(clean(line))]);
            }
        }
    }
    page.finish()
}

fn style(class: Class) -> Style {
    match class {
        Class::Info | Class::Log => LABEL,
        Class::Warn | Class::Qa => CAREFUL,
        Class::Error => BAD,
    }
}
