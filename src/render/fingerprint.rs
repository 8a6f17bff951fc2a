//! `gbsup fingerprint`: the facts, one a line.

use anstyle::Style;

use super::clean;
use super::layout::Look;
use super::table::{Cell, Shape, table};
use crate::model::fingerprint::Fingerprint;

/// As a table. A pipe gets the same columns, separated by tabs.
#[must_use]
pub fn fingerprint(fingerprint: &Fingerprint, look: Look) -> String {
    let cell = |text: &str| -> Cell { (clean(text).into_owned(), Style::new()) };
    let rows: Vec<[Cell; 4]> = fingerprint
        .facts
        .iter()
        .map(|fact| {
            let place = fact.place.as_deref().unwrap_or_default();
            [cell(&fact.kind), cell(&fact.name), cell(&fact.value), cell(place)]
        })
        .collect();
    table(["what", "of", "is", "by"], Shape::default(), &rows, look)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portage::output::facts::Fact;

    #[test]
    fn each_fact_is_a_line() {
        let fact = Fact {
            kind: "package.use".into(),
            name: "a/b".into(),
            value: "-x y".into(),
            place: Some("package.use/own:1".into()),
        };
        let text = fingerprint(&Fingerprint::of(vec![fact]), Look::PLAIN);
        assert_eq!(text, "package.use\ta/b\t-x y\tpackage.use/own:1\n");
    }
}
