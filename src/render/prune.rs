//! `gbsup prune`: what goes, one line each.

use anstyle::Style;

use super::layout::Look;
use super::table::{Cell, Shape, table};
use super::{clean, count};
use crate::model::duration::in_words;
use crate::model::prune::Removal;
use crate::model::status::size;

/// What goes, and why, as a table with a sum below it. A pipe gets the same columns, separated by tabs.
#[must_use]
pub fn prune(removals: &[Removal], bytes: u64, dry_run: bool, look: Look) -> String {
    let verb = if dry_run { "would go" } else { "removed" };
    if removals.is_empty() {
        return format!("{}\n", if dry_run { "nothing would go" } else { "there is nothing to remove" });
    }
    let rows: Vec<_> = removals.iter().map(cells).collect();
    let table = table(
        ["what", "where", "size", "unchanged for", "why"],
        Shape { right: &[2], ..Shape::default() },
        &rows,
        look,
    );
    let sum = format!("{verb}: {}, {}", count(removals.len(), "file"), size(bytes));
    if look.width.is_some() { format!("{table}\n{sum}\n") } else { format!("{table}{sum}\n") }
}

fn cells(removal: &Removal) -> [Cell; 5] {
    let style = Style::new();
    [
        (removal.kind.name().to_owned(), style),
        (clean(&removal.path.display().to_string()).into_owned(), style),
        (size(removal.size), style),
        (in_words(std::time::Duration::from_secs(removal.age)), style),
        (removal.reason().to_owned(), style),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::prune::{Kind, Why};

    #[test]
    fn what_goes_and_the_sum() {
        let removal = |kind, path: &str, why| Removal {
            kind,
            root: "/".into(),
            path: path.into(),
            size: 3 << 20,
            age: 86_400 * 91,
            why,
        };
        let removals = [
            removal(Kind::Distfile, "/d/x.tar.gz", Why::Old),
            removal(Kind::PackageLog, "/l/a:b-1:2.log", Why::TooMuch),
        ];
        let shown = prune(&removals, 6 << 20, true, Look::PLAIN);
        assert_eq!(
            shown,
            "source\t/d/x.tar.gz\t3.0 MiB\t91 d\told enough\n\
             package log\t/l/a:b-1:2.log\t3.0 MiB\t91 d\tthe logs are larger than [prune] log_size\n\
             would go: 2 files, 6.0 MiB\n"
        );
        assert_eq!(prune(&[], 0, false, Look::PLAIN), "there is nothing to remove\n");
    }
}
