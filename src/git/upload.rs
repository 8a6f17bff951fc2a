//! How git asks for what is new (gitprotocol-http(5), gitprotocol-pack(5), version 0 of the protocol): the words, and nothing of who says
//! them.

use std::collections::HashSet;

use super::id::Id;

/// What is asked for the references.
pub(crate) const SERVICE: &str = "git-upload-pack";
pub(crate) const REFERENCES: &str = "application/x-git-upload-pack-advertisement";
pub(crate) const ASKED: &str = "application/x-git-upload-pack-request";
pub(crate) const RESULT: &str = "application/x-git-upload-pack-result";
/// The only branch.
const BRANCH: &str = "refs/heads/main";
/// What is understood here. Without side bands the pack follows as it is.
const CAPABILITIES: &str =
    "multi_ack_detailed no-done thin-pack ofs-delta symref=HEAD:refs/heads/main agent=gbsup";

fn line(text: &str) -> String {
    format!("{:04x}{text}", text.len() + 4)
}

/// Which commit there is.
pub(crate) fn references(commit: Id) -> String {
    let service = line(&format!("# service={SERVICE}\n"));
    let head = line(&format!("{commit} HEAD\0{CAPABILITIES}\n"));
    let branch = line(&format!("{commit} {BRANCH}\n"));
    format!("{service}0000{head}{branch}0000")
}

/// That something cannot be had, in a form that people get to see.
pub(crate) fn refusal(words: &str) -> String {
    line(&format!("ERR {words}\n"))
}

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) want: Id,
    /// Some of what it has, the newest first.
    pub(crate) have: Vec<Id>,
    /// It says no more before it gets it.
    done: bool,
    /// What it understands, of [`CAPABILITIES`] and beyond.
    can: HashSet<String>,
}

/// What it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// These words alone: it asks again, and says more.
    More(String),
    /// These words, and a pack of what is new since one of the commits that it has.
    Since(String),
    /// These words, and a pack of all.
    All(String),
}

/// Reads what a client sends; the reason in words where it is refused.
pub(crate) fn read(mut body: &[u8]) -> Result<Asked, &'static str> {
    const BROKEN: &str = "that is no request of git";
    let mut asked: Option<Asked> = None;
    while !body.is_empty() {
        let (digits, rest) = body.split_first_chunk::<4>().ok_or(BROKEN)?;
        let digits = std::str::from_utf8(digits).map_err(|_| BROKEN)?;
        let length = usize::from_str_radix(digits, 16).map_err(|_| BROKEN)?;
        if length == 0 {
            body = rest;
            continue;
        }
        let text = length.checked_sub(4).and_then(|length| rest.get(..length)).ok_or(BROKEN)?;
        body = &rest[text.len()..];
        let text = std::str::from_utf8(text).map_err(|_| BROKEN)?.trim_end_matches('\n');
        let (word, said) = text.split_once(' ').unwrap_or((text, ""));
        match (word, &mut asked) {
            ("want", asked) => {
                let (id, can) = said.split_once(' ').unwrap_or((said, ""));
                let want = id.parse().map_err(|_| BROKEN)?;
                if let Some(before) = asked {
                    if before.want != want {
                        return Err("one commit at a time");
                    }
                    continue;
                }
                let can = can.split(' ').map(str::to_owned).collect();
                *asked = Some(Asked { want, have: Vec::new(), done: false, can });
            }
            ("have", Some(asked)) => asked.have.push(said.parse().map_err(|_| BROKEN)?),
            ("done", Some(asked)) => asked.done = true,
            ("shallow" | "deepen" | "deepen-since" | "deepen-not", _) => {
                return Err("this server has no shallow clones: set clone-depth and sync-depth to 0");
            }
            ("filter", _) => return Err("this server has no partial clones"),
            _ => return Err(BROKEN),
        }
    }
    asked.ok_or(BROKEN)
}

impl Asked {
    /// What it is told. `leads` are those of the commits that it has from which a way leads to what it wants.
    pub(crate) fn told(&self, leads: &HashSet<Id>) -> Told {
        // That takes what is other than in what it has, and that it understands what it is told of that.
        let can_know = ["thin-pack", "multi_ack_detailed"].iter().all(|what| self.can.contains(*what));
        let known: Vec<&Id> = self.have.iter().filter(|id| can_know && leads.contains(id)).collect();
        let ack = |id: &Id, what: &str| line(&format!("ACK {id}{what}\n"));
        let nak = line("NAK\n");
        let Some(last) = known.last() else {
            return if self.done { Told::All(nak) } else { Told::More(nak) };
        };
        if self.done {
            return Told::Since(ack(last, ""));
        }
        let mut words: String = known.iter().map(|id| ack(id, " common")).collect();
        words += &ack(last, " ready");
        words += &nak;
        if self.can.contains("no-done") { Told::Since(words + &ack(last, "")) } else { Told::More(words) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAN: &str = "multi_ack_detailed no-done side-band-64k thin-pack ofs-delta agent=git/2.39.5";

    fn id(number: u8) -> Id {
        Id([number; 20])
    }

    fn asks(lines: &[&str]) -> Vec<u8> {
        lines
            .iter()
            .map(|text| if text.is_empty() { "0000".to_owned() } else { line(text) })
            .collect::<String>()
            .into_bytes()
    }

    #[test]
    fn a_new_clone_gets_all() {
        let asked =
            read(&asks(&[&format!("want {} {CAN}\n", id(1)), &format!("want {}\n", id(1)), "", "done\n"]))
                .unwrap();
        assert_eq!((asked.want, asked.have.len()), (id(1), 0));
        assert_eq!(asked.told(&[id(2)].into()), Told::All("0008NAK\n".into()));
    }

    #[test]
    fn who_has_something_is_told_so() {
        let want = format!("want {} {CAN}\n", id(3));
        let have: Vec<String> = [2, 1, 9].iter().map(|number| format!("have {}\n", id(*number))).collect();
        let lines = [want.as_str(), "", &have[0], &have[1], &have[2]];
        let asked = read(&asks(&[lines.as_slice(), &[""]].concat())).unwrap();
        let (a, b) = (id(2), id(1));
        let known = format!("0038ACK {a} common\n0038ACK {b} common\n0037ACK {b} ready\n0008NAK\n");
        assert_eq!(asked.told(&[a, b].into()), Told::Since(format!("{known}0031ACK {b}\n")));
        assert_eq!(asked.told(&[id(7)].into()), Told::More("0008NAK\n".into()));
        let done = read(&asks(&[lines.as_slice(), &["done\n"]].concat())).unwrap();
        assert_eq!(done.told(&[a, b].into()), Told::Since(format!("0031ACK {b}\n")));
        assert_eq!(done.told(&[id(7)].into()), Told::All("0008NAK\n".into()));
        // One that takes no bases that are not in the pack.
        let plain = want.replace(" thin-pack", "");
        let asked = read(&asks(&[&plain, "", &have[0], "done\n"])).unwrap();
        assert_eq!(asked.told(&[a].into()), Told::All("0008NAK\n".into()));
    }

    #[test]
    fn what_is_none_is_refused() {
        let want = format!("want {}\n", id(1));
        for lines in [
            vec![],
            vec!["done\n"],
            vec![&want, "deepen 1\n"],
            vec![&want, "filter blob:none\n"],
            vec!["want x\n"],
            vec![&want, "have x\n"],
            vec![&want, &"want 2".repeat(10)],
        ] {
            assert!(read(&asks(&lines)).is_err(), "{lines:?}");
        }
        for bytes in [&b"000"[..], b"zzzz", b"0001", b"0003", b"00ffwant", b"0006\xff\xff"] {
            assert!(read(bytes).is_err(), "{bytes:?}");
        }
        assert_eq!(refusal("x"), "000aERR x\n");
    }

    #[test]
    fn references_are_as_git_reads_them() {
        let id = id(0xab);
        let text = references(id);
        assert!(text.starts_with("001e# service=git-upload-pack\n0000"), "{text}");
        assert!(text.ends_with(&format!("003d{id} refs/heads/main\n0000")), "{text}");
    }
}
