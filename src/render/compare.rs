//! `gbsup compare`: what a client would build itself, one line each.

use anstyle::Style;

use super::layout::Look;
use super::table::{Cell, Shape, table};
use super::{clean, count};
use crate::decide::compare::{Difference, Why};
use crate::portage::names::cpv::Cpv;

/// How many of a client's packages are built there and why, as a table with the sum below it. A pipe gets the same
/// columns, separated by tabs.
#[must_use]
pub fn differences(differences: &[Difference], packages: usize, look: Look) -> String {
    if differences.is_empty() {
        return match packages {
            0 => "the client has nothing to merge\n".to_owned(),
            1 => "the client installs 1 package from the binhost and builds nothing itself\n".to_owned(),
            packages => {
                format!(
                    "the client installs all {packages} packages from the binhost and builds nothing itself\n"
                )
            }
        };
    }
    let rows: Vec<[Cell; 2]> = differences.iter().map(cells).collect();
    let table = table(["built by the client", "why"], Shape::default(), &rows, look);
    let sum = format!("the client builds {} of {}", differences.len(), count(packages, "package"));
    if look.width.is_some() { format!("{table}\n{sum}\n") } else { format!("{table}{sum}\n") }
}

fn cells(difference: &Difference) -> [Cell; 2] {
    let why = match &difference.why {
        Why::Use { wanted } => {
            format!("offered with different USE flags; the client wants {}", wanted.join(" "))
        }
        Why::Unfit => {
            "offered with these USE flags, but built from a different tree (the client's is newer or older) \
             or without patches that the client has"
                .to_owned()
        }
        Why::Held { what } => format!("held back: {what}"),
        Why::Version { offered } => {
            let offered: Vec<_> = offered.iter().map(Cpv::as_str).collect();
            format!("only {} is offered", offered.join(", "))
        }
        Why::Missing => "no version of it is offered".to_owned(),
    };
    let style = Style::new();
    [(difference.package.to_string(), style), (clean(&why).into_owned(), style)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_with_its_reason_and_the_sum() {
        let difference = |cpv: &str, why| Difference { package: Cpv::parse(cpv.as_bytes()).unwrap(), why };
        let found = [
            difference("a/b-1", Why::Use { wanted: vec!["doc".into(), "-test".into()] }),
            difference("a/c-2", Why::Held { what: "needs a/d-1, which is held back".into() }),
            difference("a/e-3", Why::Missing),
        ];
        assert_eq!(
            differences(&found, 7, Look::PLAIN),
            "a/b-1\toffered with different USE flags; the client wants doc -test\n\
             a/c-2\theld back: needs a/d-1, which is held back\n\
             a/e-3\tno version of it is offered\n\
             the client builds 3 of 7 packages\n"
        );
        assert_eq!(
            differences(&[], 7, Look::PLAIN),
            "the client installs all 7 packages from the binhost and builds nothing itself\n"
        );
        assert_eq!(differences(&[], 0, Look::PLAIN), "the client has nothing to merge\n");
    }
}
