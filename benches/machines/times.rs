//! How long the packages of a plan take, from logs of emerge and from tables of others.
//!
//! The first source is the measure. Each that follows was made on another machine, or counts in another unit: it is scaled by the median
//! of what the packages took that both know. Packages are known by `category/package`, and by their name alone when they have moved to
//! another category.

use std::collections::BTreeMap;

use gbsup::portage::files::built::Built;
use gbsup::portage::files::durations::Durations;

/// What is shorter tells nothing of how fast a machine is, in seconds.
const TELLING: f64 = 8.0;

/// So many of a kind tell what the others of it take.
const ALIKE: usize = 3;
/// Categories of packages with next to no files, which bear the names of others: what one of them takes tells of all of them.
const BARE: [&str; 5] = ["acct-group", "acct-user", "app-alternatives", "sec-keys", "virtual"];

/// Seconds, or whatever else the source counts in, by `category/package`.
pub(crate) type Source = BTreeMap<String, f64>;

/// Reads a log of emerge, or a table: lines of `category/package number`.
pub(crate) fn read(bytes: &[u8]) -> Source {
    let text = String::from_utf8_lossy(bytes);
    let line = |line: &str| {
        let (name, number) = line.split_once(' ')?;
        Some((name.to_owned(), number.trim().parse().ok()?))
    };
    let table: Source = text.lines().filter(|line| !line.starts_with('#')).filter_map(line).collect();
    if table.keys().any(|name| name.contains('/')) {
        return table;
    }
    let mut durations = Durations::default();
    durations.read(bytes, &Built::unknown());
    let middle =
        |name: &str| Some((name.to_owned(), median(durations.of(name, false).map(f64::from).collect())?));
    durations.names().filter_map(middle).collect()
}

/// What is known of a package, by its name alone when need be.
fn look(source: &Source, cp: &str) -> Option<f64> {
    let name = |cp: &str| cp.rsplit('/').next().filter(|_| kind(cp) != BARE[0]).map(str::to_owned);
    let moved = |own: String| source.iter().find(|(other, _)| name(other).as_ref() == Some(&own));
    source.get(cp).copied().or_else(|| Some(*moved(name(cp)?)?.1))
}

/// Packages of one kind take about as long: those of a category, and all that have next to no files.
fn kind(cp: &str) -> &str {
    let category = cp.split('/').next().unwrap_or_default();
    if BARE.contains(&category) { BARE[0] } else { category }
}

/// How much of a plan a source knew.
pub(crate) struct Used {
    /// How many packages the times of which are from it.
    pub(crate) packages: usize,
    /// Those times.
    pub(crate) seconds: f64,
    /// What its numbers were multiplied with.
    pub(crate) scale: f64,
    /// A quarter of the packages that tell the scale had less, and a quarter more.
    pub(crate) quartiles: (f64, f64),
    /// How many these were.
    pub(crate) telling: usize,
}

/// The seconds of each package of the plan, and how much each source had to do with them. What none of them knows takes as long as
/// packages of its kind usually do, or as all do.
pub(crate) fn of(plan: &[&str], sources: &[Source]) -> (Vec<f64>, Vec<Used>) {
    let mut seconds: Vec<Option<f64>> = vec![None; plan.len()];
    let mut used = Vec::new();
    for source in sources {
        let found: Vec<Option<f64>> = plan.iter().map(|cp| look(source, cp)).collect();
        let both = seconds.iter().zip(&found).filter_map(|(known, found)| Some(((*known)?, (*found)?)));
        let mut ratios: Vec<f64> = both
            .filter(|(known, found)| *known >= TELLING && *found > 0.0)
            .map(|(known, found)| known / found)
            .collect();
        ratios.sort_by(f64::total_cmp);
        let at = |part: usize| ratios.get(ratios.len() * part / 4).copied().unwrap_or(1.0);
        let (scale, quartiles, telling) = (at(2), (at(1), at(3)), ratios.len());
        let mut own = Used { packages: 0, seconds: 0.0, scale, quartiles, telling };
        for (known, found) in seconds.iter_mut().zip(found) {
            if let (None, Some(found)) = (*known, found) {
                *known = Some(found * scale);
                own.packages += 1;
                own.seconds += found * scale;
            }
        }
        used.push(own);
    }
    let typical = |of: Option<&str>| {
        let alike = plan.iter().zip(&seconds).filter(|(cp, _)| of.is_none_or(|of| kind(cp) == kind(of)));
        let alike: Vec<f64> = alike.filter_map(|(_, seconds)| *seconds).collect();
        let enough = of.is_none() || alike.len() >= ALIKE;
        median(alike).filter(|_| enough)
    };
    let guess = |cp: &str| typical(Some(cp)).or_else(|| typical(None)).unwrap_or(0.0);
    let seconds = plan.iter().zip(&seconds).map(|(cp, known)| known.unwrap_or_else(|| guess(cp))).collect();
    (seconds, used)
}

fn median(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied()
}
