//! `gbsup plan` and `gbsup why`: what a cycle merges, and for what reason.

use std::time::Duration;

use anstyle::Style;
use jiff::Timestamp;

use super::layout::{Layout, Look, plain, styled, wrapped};
use super::style::{CAREFUL, GOOD, LABEL, STRONG, ago};
use super::table::{Cell, Shape, table};
use super::{clean, count, size};
use crate::model::duration::in_words;
use crate::model::estimates::Estimates;
use crate::model::rebuilds::Stale;
use crate::model::state::CyclePlan;
use crate::model::status::Progress;
use crate::portage::names::cpv::Cpv;
use crate::portage::output::plan::{Action, Plan, Planned, Reason, Totals};

const TITLES: [&str; 7] = ["", "package", "before", "from", "download", "takes", "why"];
const SHAPE: Shape = Shape { right: &[4, 5], below: &[], below_at_last: &[4, 2, 6], whole: &[0, 1, 3, 4, 5] };

/// The plan of a cycle as a table, and what it comes to; with `progress`, how far the builder is with it. A pipe gets the
/// rows alone.
#[must_use]
pub fn plan_of(
    made: &CyclePlan,
    estimates: &Estimates,
    progress: Option<Progress>,
    now: Timestamp,
    look: Look,
) -> String {
    let title = format!("cycle {}, planned {}", made.cycle, ago(now, made.made));
    if look.width.is_none() {
        return plan(&made.plan, estimates, look);
    }
    // The prediction of the status, in the same words.
    let left = progress.and_then(|progress| {
        let eta = progress.eta?.in_full(progress.left());
        Some(format!("{} of {} done; left: {eta}\n", progress.done, progress.total))
    });
    let list = match &left {
        Some(_) => listed(&made.plan, estimates, "", look),
        None => plan(&made.plan, estimates, look),
    };
    format!("{title}\n\n{list}{}", left.unwrap_or_default())
}

/// A plan as a table, and what it comes to. A pipe gets the rows alone.
#[must_use]
pub fn plan(plan: &Plan, estimates: &Estimates, look: Look) -> String {
    listed(plan, estimates, &time(plan, estimates), look)
}

fn listed(plan: &Plan, estimates: &Estimates, time: &str, look: Look) -> String {
    let rows: Vec<_> = plan.packages.iter().map(|package| cells(package, estimates)).collect();
    if look.width.is_none() {
        return table(TITLES, SHAPE, &rows, look);
    }
    let totals = totals(plan.totals()) + time;
    let mut end = totals;
    if !plan.removed.is_empty() {
        end += &format!("\nremoved first, since they are in the way: {}", names(&plan.removed, " "));
    }
    let end = wrapped(&end, look);
    if rows.is_empty() { end } else { format!("{}\n{end}", table(TITLES, SHAPE, &rows, look)) }
}

/// `57 packages: 50 from source, 7 binary, 870 MiB to download`.
pub(super) fn totals(totals: Totals) -> String {
    let Totals { packages, source, binary, download } = totals;
    if packages == 0 {
        return "nothing to merge".to_owned();
    }
    let packages = count(usize::try_from(packages).unwrap_or(usize::MAX), "package");
    format!("{packages}: {source} from source, {binary} binary{}", to_download(download))
}

/// `; about 2 h 10 min (1 h 50 min to 3 h)`; nothing when nothing is known.
fn time(plan: &Plan, estimates: &Estimates) -> String {
    let eta = estimates.of_plan(plan).filter(|_| !plan.packages.is_empty());
    eta.map(|eta| format!("; {}", eta.in_full(plan.totals().packages))).unwrap_or_default()
}

fn to_download(bytes: u64) -> String {
    if bytes > 0 { format!(", {} to download", size(bytes)) } else { String::new() }
}

/// Each package with everything that is known about it.
#[must_use]
pub fn why(packages: &[&Planned], look: Look) -> String {
    let mut page = Layout::new(look);
    for package in packages {
        page.gap();
        let replaced = match package.action {
            Action::Update | Action::Downgrade => format!(" from {}", package.old.join(", ")),
            Action::NewSlot => format!(" beside {}", package.old.join(", ")),
            Action::New | Action::Reinstall | Action::Rebuild => String::new(),
        };
        let title = format!(": {}{replaced}", action(package.action).0);
        let name = clean(package.cpv.as_str()).into_owned();
        page.paragraph(2, &[styled(STRONG, name), plain(clean(&title))]);
        for (index, reason) in package.why.iter().enumerate() {
            page.row(if index == 0 { "why" } else { "" }, LABEL, &[plain(in_full(reason))]);
        }
        if !package.use_changes.is_empty() {
            page.row("USE", LABEL, &[plain(clean(&package.use_changes.join(" ")))]);
        }
        page.row("from", LABEL, &[plain(from(package)), plain(to_download(package.download))]);
        let slot = if package.slot == package.sub_slot {
            package.slot.clone()
        } else {
            format!("{}/{}", package.slot, package.sub_slot)
        };
        page.row("slot", LABEL, &[plain(clean(&format!("{slot}, repository {}", package.repo)))]);
    }
    page.finish()
}

/// Why packages were merged again although nothing about them is new.
#[must_use]
pub fn stale(packages: &[Stale], look: Look) -> String {
    let mut page = Layout::new(look);
    for stale in packages {
        page.gap();
        let name = clean(stale.package.as_str()).into_owned();
        page.paragraph(2, &[styled(STRONG, name), plain(": merged again after the build")]);
        page.row("why", LABEL, &[plain(clean(&format!("it {}", stale.proof)))]);
    }
    page.finish()
}

/// Packages that are not built, each with half a sentence that says why.
#[must_use]
pub fn left_out(packages: &[(String, String)], look: Look) -> String {
    let mut page = Layout::new(look);
    for (package, why) in packages {
        page.gap();
        page.paragraph(2, &[styled(STRONG, clean(package)), plain(": not built")]);
        page.row("why", LABEL, &[plain(format!("it {}", clean(why)))]);
    }
    page.finish()
}

fn cells(package: &Planned, estimates: &Estimates) -> [Cell; 7] {
    let style = Style::new();
    let (word, colour) = action(package.action);
    let takes = estimates.of(&package.cpv, package.binary);
    let takes = takes.map(|estimate| in_words(Duration::from_secs(estimate.likely)));
    [
        (word.to_owned(), colour),
        (clean(package.cpv.as_str()).into_owned(), STRONG),
        (clean(&package.old.join(", ")).into_owned(), style),
        (from(package).to_owned(), style),
        (if package.download > 0 { size(package.download) } else { String::new() }, style),
        (takes.unwrap_or_default(), style),
        (reasons(package), style),
    ]
}

fn action(action: Action) -> (&'static str, Style) {
    match action {
        Action::New => ("new", GOOD),
        Action::NewSlot => ("new slot", GOOD),
        Action::Update => ("update", GOOD),
        Action::Downgrade => ("downgrade", CAREFUL),
        Action::Reinstall => ("again", Style::new()),
        Action::Rebuild => ("rebuild", Style::new()),
    }
}

fn from(package: &Planned) -> &'static str {
    if package.binary { "binary" } else { "source" }
}

/// Why a package is merged, in half a sentence.
#[must_use]
pub fn reasons(package: &Planned) -> String {
    reasons_in_short(&package.why, &package.use_changes)
}

/// The same from its parts.
#[must_use]
pub fn reasons_in_short(why: &[Reason], use_changes: &[String]) -> String {
    why.iter().map(|reason| in_short(reason, use_changes)).collect::<Vec<_>>().join("; ")
}

/// A reason that shares a line with others.
fn in_short(reason: &Reason, use_changes: &[String]) -> String {
    match reason {
        Reason::UseChanged => format!("USE changed: {}", clean(&use_changes.join(" "))),
        Reason::NeededBy { packages } => match packages.first() {
            Some(first) => format!("needed by {}", clean(first.as_str())),
            None => in_full(reason),
        },
        _ => in_full(reason),
    }
}

/// A reason as half a sentence.
fn in_full(reason: &Reason) -> String {
    match reason {
        Reason::SlotRebuild { because } if because.is_empty() => {
            "the slot or sub-slot of a package it was built against changes".to_owned()
        }
        Reason::SlotRebuild { because } => {
            format!("the slot or sub-slot of {} changes", names(because, ", "))
        }
        Reason::SlotChanged { from } => format!("its slot was {}", clean(from)),
        Reason::UseChanged => "its USE flags changed".to_owned(),
        Reason::DependenciesChanged => "its dependencies changed".to_owned(),
        Reason::NoBinary => "there is no binary package of it".to_owned(),
        Reason::BinaryUse { flags } => {
            format!("its binary package was built with USE {}", clean(&flags.join(" ")))
        }
        Reason::BinaryUnfit => {
            "its binary package was built against something else, or an option leaves it out".to_owned()
        }
        Reason::NeededBy { packages } => match packages.split_first() {
            Some((first, others)) => {
                let first = format!("needed by {}", clean(first.as_str()));
                others.iter().fold(first, |chain, by| format!("{chain}, needed by {}", clean(by.as_str())))
            }
            None => "needed by others".to_owned(),
        },
        Reason::Target => "asked for".to_owned(),
    }
}

fn names(packages: &[Cpv], separator: &str) -> String {
    let names: Vec<_> = packages.iter().map(|cpv| clean(cpv.as_str())).collect();
    names.join(separator)
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use insta::assert_snapshot;

    use super::*;
    use crate::portage::files::built::Built;
    use crate::portage::files::durations::Durations;
    use crate::portage::files::index;
    use crate::portage::output::plan::Reader;

    const WIDE: Look = Look { colour: false, unicode: true, width: Some(100) };

    fn read(text: &str, packages: &str) -> Plan {
        let mut reader = Reader::new();
        text.lines().for_each(|line| reader.line(line.as_bytes()));
        reader.finish(&index::binaries(packages.as_bytes()))
    }

    /// Several real plans as one of a cycle, so that it has packages of all kinds.
    fn mixed() -> CyclePlan {
        let mut mixed = Plan::default();
        for (text, packages) in [
            (include_str!("../../tests/captured/plan-new.txt"), ""),
            (include_str!("../../tests/captured/plan-update.txt"), ""),
            (include_str!("../../tests/captured/plan-subslot.txt"), ""),
            (include_str!("../../tests/captured/plan-use.txt"), ""),
            (include_str!("../../tests/captured/plan-downgrade.txt"), ""),
            (
                include_str!("../../tests/captured/plan-dependencies.txt"),
                include_str!("../../tests/captured/plan-dependencies.packages"),
            ),
            (include_str!("../../tests/captured/plan-slot.txt"), ""),
            (include_str!("../../tests/captured/plan-unpackaged.txt"), ""),
            (
                include_str!("../../tests/captured/plan-packaged.txt"),
                include_str!("../../tests/captured/plan-packaged.packages"),
            ),
            (include_str!("../../tests/captured/plan-uninstall.txt"), ""),
        ] {
            let plan = read(text, packages);
            mixed.packages.extend(plan.packages);
            mixed.removed.extend(plan.removed);
        }
        CyclePlan { cycle: 3, made: Timestamp::UNIX_EPOCH, plan: mixed }
    }

    /// One of the packages was built before, in a minute.
    fn known() -> Estimates {
        let mut durations = Durations::default();
        durations.read(
            b"100:  >>> emerge (1 of 1) test-quick/t1-1 to /\n\
              160:  ::: completed emerge (1 of 1) test-quick/t1-1 to /\n",
            &Built::unknown(),
        );
        Estimates::new(&durations, 1)
    }

    fn now() -> Timestamp {
        Timestamp::from_second(150).unwrap()
    }

    #[test]
    fn a_plan_as_a_table() {
        assert_snapshot!(plan_of(&mixed(), &known(), None, now(), WIDE));
    }

    #[test]
    fn no_word_of_a_plan_is_cut_at_eighty_columns() {
        let narrow = plan_of(&mixed(), &known(), None, now(), Look { width: Some(80), ..WIDE });
        let table = narrow.split("\n\n").nth(1).unwrap();
        assert!(table.lines().all(|line| line.chars().count() <= 80), "{narrow}");
        for package in &mixed().plan.packages {
            assert!(narrow.contains(package.cpv.as_str()), "{narrow}");
        }
        let words = plan(&mixed().plan, &known(), Look::PLAIN);
        let mut words = words.split(['\t', ' ', '\n']).filter(|word| word.contains('/') || word.len() > 9);
        assert_eq!(words.find(|word| !narrow.contains(word)), None, "{narrow}");
    }

    #[test]
    fn a_pipe_gets_one_line_per_package() {
        let mixed = mixed();
        let piped = plan_of(&mixed, &known(), None, now(), Look::PLAIN);
        assert_eq!(piped.lines().count(), mixed.plan.packages.len());
        assert_eq!(
            piped.lines().next(),
            Some("new\ttest-quick/t1-1\t\tsource\t\t1 min\tneeded by test-quick/t2-1")
        );
        assert_eq!(plan(&Plan::default(), &known(), Look::PLAIN), "");
        assert_eq!(plan(&Plan::default(), &known(), WIDE), "nothing to merge\n");
        let unknown = plan(&mixed.plan, &Estimates::default(), WIDE);
        assert!(!unknown.contains("about") && unknown.contains("18 packages"), "{unknown}");
    }

    #[test]
    fn every_package_in_full() {
        let mixed = mixed().plan;
        let pages: Vec<_> = mixed.packages.iter().map(|package| why(from_ref(&package), WIDE)).collect();
        assert_snapshot!(pages.join("\n"));
    }

    #[test]
    fn words_of_others_do_no_harm() {
        let mut plan = mixed().plan;
        plan.packages.truncate(1);
        plan.packages[0].repo = "\u{1b}[2Jx".into();
        plan.packages[0].old = vec!["1\u{1b}[2J".into()];
        plan.packages[0].use_changes = vec!["a\u{1b}[2J*".into()];
        plan.packages[0].why =
            vec![Reason::UseChanged, Reason::BinaryUse { flags: vec!["\u{1b}[2J".into()] }];
        let page = why(&[&plan.packages[0]], WIDE) + &super::plan(&plan, &known(), WIDE);
        assert!(!page.contains('\u{1b}'), "{page}");
    }
}
