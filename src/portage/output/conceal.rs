//! Names and passwords in addresses, which programs print as they were given them: `https://me:secret@host/` becomes
//! `https://***@host/`.

use std::borrow::Cow;

/// What stands in the place of a name and a password.
const CONCEALED: &[u8] = b"***";
/// What comes before them.
const BEFORE: &[u8] = b"://";
/// No name, password and host together are longer.
const LONGEST: usize = 1024;
/// The user of every public git server.
const PUBLIC: &[u8] = b"git";

/// Conceals them in what comes in pieces.
#[derive(Debug, Default)]
pub(crate) struct Concealing {
    /// The beginning of what may be an address, until its host has ended.
    held: Vec<u8>,
}

impl Concealing {
    /// What can be shown by now.
    pub(crate) fn pass<'a>(&mut self, piece: &'a [u8]) -> Cow<'a, [u8]> {
        if self.held.is_empty() && !piece.ends_with(b":") && !piece.ends_with(b":/") && find(piece).is_none()
        {
            return Cow::Borrowed(piece);
        }
        let mut text = std::mem::take(&mut self.held);
        text.extend_from_slice(piece);
        let mut shown = Vec::with_capacity(text.len());
        let mut rest = text.as_slice();
        while let Some(at) = find(rest) {
            let (before, after) = rest.split_at(at + BEFORE.len());
            let Some(end) = after.iter().position(|byte| ends(*byte)).or(after.get(LONGEST).map(|_| LONGEST))
            else {
                shown.extend_from_slice(&before[..at]);
                self.held = rest[at..].to_vec();
                return Cow::Owned(shown);
            };
            shown.extend_from_slice(before);
            place(&after[..end], &mut shown);
            rest = &after[end..];
        }
        let keep = [&b":/"[..], b":"].into_iter().find(|end| rest.ends_with(end)).map_or(0, <[u8]>::len);
        let (now, later) = rest.split_at(rest.len() - keep);
        shown.extend_from_slice(now);
        self.held = later.to_vec();
        Cow::Owned(shown)
    }

    /// The rest, when nothing more comes.
    pub(crate) fn end(&mut self) -> Vec<u8> {
        let held = std::mem::take(&mut self.held);
        match held.strip_prefix(BEFORE) {
            Some(host) => {
                let mut shown = BEFORE.to_vec();
                place(host, &mut shown);
                shown
            }
            None => held,
        }
    }
}

/// The same for a text that is there as a whole.
pub(crate) fn concealed(text: &[u8]) -> Cow<'_, [u8]> {
    let mut concealing = Concealing::default();
    match (concealing.pass(text), concealing.end()) {
        (shown, rest) if rest.is_empty() => shown,
        (shown, rest) => Cow::Owned([&*shown, &rest].concat()),
    }
}

/// The same for a text of characters.
pub(crate) fn concealed_text(text: &str) -> String {
    String::from_utf8_lossy(&concealed(text.as_bytes())).into_owned()
}

fn find(text: &[u8]) -> Option<usize> {
    super::die::find(text, BEFORE)
}

/// Whether a byte is behind the host of an address.
fn ends(byte: u8) -> bool {
    byte <= b' ' || b"/?#\"'<>`".contains(&byte)
}

/// Shows where an address leads.
fn place(host: &[u8], shown: &mut Vec<u8>) {
    match host.iter().rposition(|byte| *byte == b'@') {
        Some(at) if host[..at] != *PUBLIC => {
            shown.extend_from_slice(CONCEALED);
            shown.extend_from_slice(&host[at..]);
        }
        _ => shown.extend_from_slice(host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "git clone https://me:s3cret@host.example:8080/a.git .\n\
                        fetch 'http://t0ken@a/x' \"ftp://u:p%40@w@b\" ssh://git@c/d.git me@example.org\n\
                        http://plain/@x, a://b:c/d@e; :// : :/ file:///srv/x@y\nhttps://me:s3cret@end";
    const SHOWN: &str = "git clone https://***@host.example:8080/a.git .\n\
                         fetch 'http://***@a/x' \"ftp://***@b\" ssh://git@c/d.git me@example.org\n\
                         http://plain/@x, a://b:c/d@e; :// : :/ file:///srv/x@y\nhttps://***@end";

    #[test]
    fn passwords_are_concealed_wherever_a_text_is_cut() {
        assert_eq!(concealed_text(TEXT), SHOWN);
        for size in 1..TEXT.len() {
            let mut concealing = Concealing::default();
            let mut shown: Vec<u8> =
                TEXT.as_bytes().chunks(size).flat_map(|piece| concealing.pass(piece).into_owned()).collect();
            shown.extend(concealing.end());
            assert_eq!(String::from_utf8(shown).unwrap(), SHOWN, "{size}");
        }
    }

    #[test]
    fn what_has_none_is_as_it_was_and_is_not_held_back() {
        for text in ["", "plain\n", "a: b\n", "http://host/path\n", "12:30:00\n"] {
            let mut concealing = Concealing::default();
            assert_eq!(concealing.pass(text.as_bytes()), text.as_bytes(), "{text:?}");
            assert!(concealing.end().is_empty());
        }
        // Neither is what never ends.
        let endless = [b"x://".as_slice(), &[b'y'; 5000]].concat();
        let mut concealing = Concealing::default();
        let shown = concealing.pass(&endless).into_owned();
        assert!(shown.len() > 4000 && concealing.held.len() <= LONGEST, "{}", shown.len());
    }
}
