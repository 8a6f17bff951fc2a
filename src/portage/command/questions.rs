//! Several questions to portageq in one process: a start of Portage takes longer than most answers.

use serde::Deserialize;

use super::ask::{envvar, portage_available, python, repositories, version};
use super::line::{Command, set};

/// What the line of answers begins with.
const BEGIN: &[u8] = b"gbsup answers: ";

/// Questions, each with its answer.
pub(crate) type Answers = Vec<(Command, Vec<u8>)>;

/// What is asked together, in groups that do not share what Portage has read: asked for its repositories, it does not look whether
/// they are there.
fn groups(keys: &[&str]) -> [Vec<Command>; 2] {
    [vec![repositories()], vec![envvar(keys), portage_available(), version()]]
}

/// Whether this is one of them.
pub(crate) fn is_asked_together(command: &Command, keys: &[&str]) -> bool {
    groups(keys).iter().flatten().any(|question| question == command)
}

/// Asks for the repositories, for these variables, and for the Portage that is offered and the one that runs; read what it prints
/// with [`together`].
pub(crate) fn questions(keys: &[&str]) -> Command {
    let words = |question: &Command| question.argv[1..].to_vec();
    let asked = groups(keys).map(|group| group.iter().map(words).collect::<Vec<_>>());
    let mut command = Command { private: true, ..python(include_str!("questions.py")) };
    set(&mut command.env, "GBSUP_ASKED", serde_json::json!(asked).to_string());
    command
}

/// What [`questions`] prints.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    pub answers: Answers,
    /// The files and directories that Portage read for that, by their paths.
    pub read: Vec<String>,
}

/// The same, as it is printed.
#[derive(Deserialize)]
struct Printed {
    answers: [Vec<String>; 2],
    read: Vec<String>,
}

/// The answers to [`questions`]. Nothing where Portage says anything else, such as a warning: to which of them that belongs shows when
/// they are asked one by one.
pub(crate) fn together(text: &[u8], keys: &[&str]) -> Option<Said> {
    let Printed { answers, read } = serde_json::from_slice(text.strip_prefix(BEGIN)?).ok()?;
    let groups = groups(keys);
    let is_whole = groups.iter().zip(&answers).all(|(group, answers)| group.len() == answers.len());
    let pairs = groups.into_iter().flatten().zip(answers.into_iter().flatten());
    let answers = pairs.map(|(question, answer)| (question, answer.into_bytes())).collect();
    is_whole.then_some(Said { answers, read })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_count_where_there_is_nothing_else() {
        let keys = ["USE"];
        let text = r#"gbsup answers: {"answers": [["[DEFAULT]\n"], ["USE=''\n", "sys-apps/portage-3.0.83\n", "Portage 3.0.83\n"]], "read": ["/etc/portage/make.conf"]}
"#;
        let Said { answers, read } = together(text.as_bytes(), &keys).unwrap();
        assert_eq!(read, ["/etc/portage/make.conf"]);
        let [(first, repositories), .., (last, version)] = answers.as_slice() else { panic!("four") };
        assert_eq!(
            (first.typed().as_str(), repositories.as_slice()),
            ("portageq repos_config /", &b"[DEFAULT]\n"[..])
        );
        assert_eq!(
            (last.typed().as_str(), version.as_slice()),
            ("portageq --version", &b"Portage 3.0.83\n"[..])
        );
        assert!(is_asked_together(first, &keys) && !is_asked_together(&envvar(&["CHOST"]), &keys));
        for other in [
            format!("!!! a warning\n{text}"),
            format!("{text}!!! a warning\n"),
            text.replace(r#", "Portage 3.0.83\n""#, ""),
            text.replace("]]", ""),
            String::new(),
        ] {
            assert_eq!(together(other.as_bytes(), &keys), None, "{other}");
        }
    }

    #[test]
    fn they_are_what_portageq_is_told() {
        let command = questions(&["USE"]);
        let asked =
            command.env.iter().find(|(name, _)| name == "GBSUP_ASKED").map(|(_, value)| value.as_str());
        assert_eq!(
            asked,
            Some(
                r#"[[["repos_config","/"]],[["envvar","-v","USE"],["best_visible","/","sys-apps/portage"],["--version"]]]"#
            )
        );
    }
}
