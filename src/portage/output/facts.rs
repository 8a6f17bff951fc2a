//! What decides whether a package fits a machine, as [`command::facts`](crate::portage::command::facts) prints it.

use serde::{Deserialize, Serialize};

/// What the line begins with. Portage may say something before.
const BEGIN: &[u8] = b"gbsup facts: ";

/// One of them. Those of one kind and name are alike on two machines when their values are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fact {
    /// Such as `use` or `package.use`; docs/formats.md has all of them.
    pub kind: String,
    /// Such as the flag, the variable or the atom.
    pub name: String,
    /// Its words in the order of the alphabet, where their order means nothing.
    pub value: String,
    /// Where it is said, as `FILE:LINE` below `/etc/portage`; absent when no line says it.
    #[serde(default)]
    pub place: Option<String>,
}

/// All of them, sorted; nothing when they were not printed.
pub(crate) fn facts(text: &[u8]) -> Option<Vec<Fact>> {
    let line = text.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(BEGIN))?;
    let mut facts: Vec<Fact> = serde_json::from_slice(line).ok()?;
    facts.sort_unstable();
    facts.dedup();
    Some(facts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_sorted_and_nothing_else_is_read() {
        let text = b"!!! a warning of Portage\ngbsup facts: [\
            {\"kind\": \"use\", \"name\": \"x\", \"value\": \"off\", \"place\": \"make.conf:3\"}, \
            {\"kind\": \"machine\", \"name\": \"ARCH\", \"value\": \"amd64\", \"place\": null}]\nmore\n";
        let found = facts(text).unwrap();
        assert_eq!(found.iter().map(|fact| fact.name.as_str()).collect::<Vec<_>>(), ["ARCH", "x"]);
        assert_eq!(found[1].place.as_deref(), Some("make.conf:3"));
        for text in [&b""[..], b"Traceback", b"gbsup facts: [", b"gbsup facts: [1]", b" gbsup facts: []"] {
            assert_eq!(facts(text), None);
        }
    }
}
