//! Gentoo's security advisories (GLSA), as far as they concern what is installed.
//!
//! Source: `bin/glsa-check:summarylist`. A line of `glsa-check --nocolor --cve --list affected` is
//! `202611-01 [N] Title ( category/name category/name ... ) CVE-2026-1,CVE-2026-2`.

use serde::{Deserialize, Serialize};

/// An advisory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advisory {
    /// `202611-01`
    pub id: String,
    /// What it is about.
    pub title: String,
    /// The packages, as `category/name`; of many only the first.
    pub packages: Vec<String>,
    /// Numbers of the vulnerabilities, where it names them.
    pub cves: Vec<String>,
}

/// The advisories that the system is affected by, from what glsa-check printed; nothing when that was not understood. It
/// always prints what its marks mean, whether there are advisories or not.
pub(crate) fn affected(text: &[u8]) -> Option<Vec<Advisory>> {
    let text = String::from_utf8_lossy(text);
    let is_one = |line: &&str| line.contains(" [N] ");
    text.contains("[N] indicates").then(|| text.lines().filter(is_one).map(advisory).collect())?
}

fn advisory(line: &str) -> Option<Advisory> {
    let (id, rest) = line.split_once(" [N] ")?;
    let is_id =
        |id: &str| id.split('-').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
    let (title, rest) = rest.trim_start().rsplit_once(" ( ").filter(|_| is_id(id))?;
    let (packages, cves) = rest.rsplit_once(')')?;
    let packages = packages.split_whitespace().filter(|word| word.contains('/')).map(str::to_owned).collect();
    let cves = cves.trim().split(',').filter(|cve| !cve.is_empty()).map(str::to_owned).collect();
    Some(Advisory { id: id.to_owned(), title: title.to_owned(), packages, cves })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What glsa-check of Portage 3.0.83 printed in the test Gentoo, and the longest form of its source.
    #[test]
    fn what_glsa_check_prints() {
        let text = b"202611-01 [N] Trivial Package: Multiple Vulnerabilities ( test-quick/t1 )\n\
                     [A] means this GLSA was marked as applied (injected),\n\
                     [U] means the system is not affected and\n\
                     [N] indicates that the system might be affected.\n\n\
                     202611-02 [N] Many (of them) ( a/b  c/d  e/f ... ) CVE-2026-1,CVE-2026-2\n\
                     202611-03 [U] Not here ( a/b )\n";
        let [one, many] = &affected(text).unwrap()[..] else { panic!("{:?}", affected(text)) };
        assert_eq!(
            (one.id.as_str(), one.title.as_str()),
            ("202611-01", "Trivial Package: Multiple Vulnerabilities")
        );
        assert_eq!((one.packages.clone(), one.cves.len()), (vec!["test-quick/t1".to_owned()], 0));
        assert_eq!(affected(b"Traceback (most recent call last):\n"), None);
        let odd = [&text[..], b"GLSA 202611-04 [N] in other words\n"].concat();
        assert_eq!(affected(&odd), None, "one more that is not understood");
        assert_eq!((many.title.as_str(), many.packages.len(), many.cves.len()), ("Many (of them)", 3, 2));
    }
}
