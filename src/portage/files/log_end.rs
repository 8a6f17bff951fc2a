//! The end of an emerge.log of years, and what of the rest estimates are made of.

use std::collections::{BTreeMap, BTreeSet};

use super::log::{Event, line};

/// The last so many bytes of a log, from the begin of a run of emerge on. Before them stand the lines of the last merge of each
/// package that they have none of, from source and from a binary package, so that it is still known how long it takes.
pub(crate) fn end(log: &[u8], bytes: usize) -> Vec<u8> {
    let (before, end) = log.split_at(cut(log, log.len().saturating_sub(bytes)));
    let recent: BTreeSet<Merge> = merges(end).into_keys().collect();
    let mut last: Vec<(usize, Vec<&[u8]>)> =
        merges(before).into_iter().filter(|(merge, _)| !recent.contains(merge)).map(|(_, it)| it).collect();
    last.sort_by_key(|(at, _)| *at);
    let mut out = Vec::new();
    for line in last.iter().flat_map(|(_, lines)| lines) {
        out.extend_from_slice(line);
        out.push(b'\n');
    }
    out.extend_from_slice(end);
    out
}

/// Where a run of emerge begins, else a line, at `from` or after it.
fn cut(log: &[u8], from: usize) -> usize {
    if from == 0 {
        return 0;
    }
    // A line that begins there ends the search for one just before.
    let next = |at: usize| log[at..].iter().position(|byte| *byte == b'\n').map(|end| at + end + 1);
    let Some(first) = next(from - 1) else { return log.len() };
    let mut at = first;
    while let Some(end) = next(at) {
        if line(&log[at..end - 1]).is_some_and(|entry| entry.event == Event::Started) {
            return at;
        }
        at = end;
    }
    first
}

/// A package, `category/name`, and whether it was merged from a binary package.
type Merge = (String, bool);

/// The lines of the last merge of each package, and which line of the log the last of them is.
fn merges(log: &[u8]) -> BTreeMap<Merge, (usize, Vec<&[u8]>)> {
    let mut open: BTreeMap<&str, (bool, Vec<&[u8]>)> = BTreeMap::new();
    let mut last = BTreeMap::new();
    for (at, text) in log.split(|byte| *byte == b'\n').enumerate() {
        match line(text).map(|entry| entry.event) {
            Some(Event::Started) => open.clear(),
            Some(Event::Start { package, .. }) => drop(open.insert(package.as_str(), (false, vec![text]))),
            Some(Event::Merging { package, binary }) => {
                if let Some((from_binary, lines)) = open.get_mut(package.as_str()) {
                    *from_binary = binary;
                    lines.push(text);
                }
            }
            Some(Event::Completed { package, .. }) => {
                if let Some((binary, mut lines)) = open.remove(package.as_str()) {
                    lines.push(text);
                    last.insert((package.cp().to_owned(), binary), (at, lines));
                }
            }
            _ => {}
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portage::files::built::Built;
    use crate::portage::files::durations::Durations;

    /// A run that merges one package, which takes so many seconds.
    fn run(at: u64, package: &str, seconds: u64) -> String {
        let end = at + seconds;
        format!(
            "{at}: Started emerge on: Nov 22, 2026 14:30:00\n{at}:  >>> emerge (1 of 1) {package} to /\n\
             {end}:  === (1 of 1) Merging ({package}::/r/x.ebuild)\n\
             {end}:  ::: completed emerge (1 of 1) {package} to /\n{end}:  *** terminating.\n"
        )
    }

    fn known(log: &[u8], name: &str) -> Vec<u32> {
        let mut durations = Durations::default();
        durations.read(log, &Built::unknown());
        durations.of(name, false).collect()
    }

    #[test]
    fn the_end_is_whole_runs_and_knows_how_long_everything_takes() {
        let mut log = run(1000, "a/rare-1", 700);
        for n in 0..1000_u64 {
            log += &run(10_000 + n * 1000, "a/often-1", 60);
        }
        let short = end(log.as_bytes(), 20_000);
        assert!(short.len() < 20_000 + 400, "{}", short.len());
        assert_eq!(known(&short, "a/rare"), [700]);
        assert_eq!(known(&short, "a/often"), known(log.as_bytes(), "a/often"));
        let text = String::from_utf8(short.clone()).unwrap();
        assert_eq!(text.matches("a/rare-1").count(), 3);
        assert!(text.lines().nth(3).unwrap().contains("Started emerge on"), "{text}");
        assert!(log.ends_with(text.split_once("Started").unwrap().1));
        // Once more, it loses nothing of that.
        assert_eq!(known(&end(&short, 10_000), "a/rare"), [700]);
    }

    #[test]
    fn one_run_without_end_and_what_is_no_log_are_cut_at_a_line() {
        let log = "1: a line\n".repeat(100);
        let short = end(log.as_bytes(), 95);
        assert_eq!(short, "1: a line\n".repeat(9).as_bytes());
        assert_eq!(end(log.as_bytes(), 5000), log.as_bytes());
        assert_eq!(end(&[b'x'; 1000], 10), b"");
        assert_eq!(end(b"", 10), b"");
    }
}
