//! How much is kept of what others wrote. An ebuild, a compiler or the resolver may say megabytes, and thousands of packages may
//! fail for one reason; the logs have all of it.

use std::borrow::Cow;

use super::failure::Failure;

/// Ends what was cut.
const MARK: &str = "…";
/// Bytes of a sentence.
const SENTENCE: usize = 1000;
/// Bytes of a line of evidence.
const LINE: usize = 400;
/// Lines of evidence of a failure.
const LINES: usize = 60;
/// Bytes of the evidence of all failures together; whichever come after that keep a line each.
const EVIDENCE: usize = 256 << 10;
/// Commands of a failure.
const COMMANDS: usize = 20;
/// Bytes of a command. Half a command would do something else, so a longer one is left out.
const COMMAND: usize = 8 << 10;

/// The text, or its beginning and a sign that it is no more than that.
pub(crate) fn cut(text: &str, bytes: usize) -> Cow<'_, str> {
    if text.len() <= bytes + MARK.len() {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("{}{MARK}", text[..text.floor_char_boundary(bytes)].trim_end()))
}

/// Makes what is kept of failures bearable. Which packages failed, and why in a sentence, stays of every one.
pub(crate) fn keep(failures: &mut [Failure]) {
    let mut room = EVIDENCE;
    for failure in failures {
        shorten(&mut failure.message, SENTENCE);
        if let Some(package) = &mut failure.package {
            shorten(package, SENTENCE);
        }
        failure.suggestions.retain(|command| command.len() <= COMMAND);
        failure.suggestions.truncate(COMMANDS);
        let evidence = &mut failure.evidence;
        if evidence.len() > LINES {
            let (from, to) = (LINES / 2, evidence.len() - LINES / 2 + 1);
            evidence.splice(from..to, [format!("... {} lines are left out here ...", to - from)]);
        }
        for line in evidence.iter_mut() {
            shorten(line, LINE);
        }
        let size = evidence.iter().map(String::len).sum();
        match room.checked_sub(size) {
            Some(left) => room = left,
            // The last line is nearest to the end of the build.
            None => drop(evidence.drain(..evidence.len().saturating_sub(1))),
        }
    }
}

fn shorten(text: &mut String, bytes: usize) {
    if let Cow::Owned(short) = cut(text, bytes) {
        *text = short;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::failure::Class;

    #[test]
    fn a_failure_is_kept_in_bearable_size_and_the_same_when_it_is_kept_again() {
        let mut failures = [Failure {
            evidence: (0..5000).map(|n| format!("{n} {}", "ä".repeat(5000))).collect(),
            suggestions: vec!["short".to_owned(), "long".repeat(10_000)],
            ..Failure::new(Class::Unknown, "m".repeat(1 << 20))
        }];
        keep(&mut failures);
        let [failure] = &failures;
        assert_eq!((failure.message.len(), failure.evidence.len()), (SENTENCE + MARK.len(), LINES));
        assert_eq!(failure.evidence[30], "... 4941 lines are left out here ...");
        assert!(failure.evidence[0].starts_with("0 ä") && failure.evidence[59].starts_with("4999 ä"));
        assert!(failure.evidence.iter().all(|line| line.len() <= LINE + MARK.len()));
        assert_eq!(failure.suggestions, ["short"]);
        let mut again = failures.clone();
        keep(&mut again);
        assert_eq!(again, failures);
    }

    #[test]
    fn of_many_failures_each_keeps_its_sentence_and_a_line() {
        let failure =
            Failure { evidence: vec!["e".repeat(300); 14], ..Failure::new(Class::Compile, "no luck") };
        let mut failures = vec![failure; 20_000];
        keep(&mut failures);
        assert!(failures.iter().all(|failure| failure.message == "no luck" && !failure.evidence.is_empty()));
        assert_eq!((failures[0].evidence.len(), failures[19_999].evidence.len()), (14, 1));
        let all: usize = failures.iter().flat_map(|failure| &failure.evidence).map(String::len).sum();
        assert!(all < EVIDENCE + 20_000 * LINE, "{all}");
    }

    #[test]
    fn a_cut_is_seen() {
        assert_eq!(cut("short", 5), "short");
        assert_eq!(cut("some more words", 5), "some…");
        assert_eq!(cut("ääää", 3), "ä…");
    }
}
