//! The messages that a helper's daemon sends the scheduler.
//!
//! Each side begins with four bytes, the newest protocol that it knows, and answers the other's with four more, the protocol that is spoken. What
//! follows are messages: the length as four bytes, the largest first, and so many bytes, of which the first four are the kind.

use thiserror::Error;

/// What a conversation begins with: protocol 43, that of icecream 1.4.
pub const HELLO: [u8; 4] = [43, 0, 0, 0];
/// The oldest protocol that is spoken.
const OLDEST: u8 = 21;
/// Bytes of the greeting in each direction.
const GREETING: usize = 8;
/// Bytes before what a message is about: its length and its kind.
const HEAD: usize = 8;
/// No message of a daemon to its scheduler comes near.
const LONGEST: usize = 1 << 20;
/// Bytes of a name that is taken.
const LONGEST_NAME: usize = 64;

const PING: u32 = b'B' as u32;
const END: u32 = b'C' as u32;
const JOB_BEGIN: u32 = b'L' as u32;
const JOB_DONE: u32 = b'M' as u32;
const LOGIN: u32 = b'P' as u32;
const STATS: u32 = b'Q' as u32;

/// Why a conversation is ended.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Odd {
    /// It is longer than any.
    #[error("it sent a message of {0} bytes")]
    Long(usize),
    /// It is cut short, or no message of a helper.
    #[error("it sent what no helper sends")]
    Kind,
    /// Names are shown, and tell helpers apart.
    #[error("it has a name that is none: letters, digits, dots, hyphens and underscores, at most 64")]
    Name,
}

/// Whether this is how a daemon answers [`HELLO`].
#[must_use]
pub fn is_hello(answer: [u8; 4]) -> bool {
    answer[0] >= OLDEST && answer[1..] == [0; 3]
}

/// Whether a helper can be called so.
#[must_use]
pub fn is_name(name: &[u8]) -> bool {
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    !name.is_empty() && name.len() <= LONGEST_NAME && name.iter().all(fits)
}

/// Cuts a stream of bytes into the greeting and messages.
#[derive(Default)]
pub struct Messages {
    greeted: bool,
    held: Vec<u8>,
    /// So many bytes of it were handed out.
    out: usize,
}

impl Messages {
    /// Takes what came.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.held.drain(..std::mem::take(&mut self.out));
        self.held.extend_from_slice(bytes);
    }

    /// The next piece that is whole: first the greeting, then messages, each with its head.
    ///
    /// # Errors
    /// When a message is longer than any.
    pub fn take(&mut self) -> Result<Option<Piece>, Odd> {
        let held = &self.held[self.out..];
        let length = match (self.greeted, number(held, 0)) {
            (false, _) => GREETING,
            (true, None) => return Ok(None),
            (true, Some(length)) => 4 + usize::try_from(length).unwrap_or(usize::MAX - 4),
        };
        if length > LONGEST {
            return Err(Odd::Long(length));
        }
        let Some(piece) = held.get(..length).map(<[u8]>::to_vec) else { return Ok(None) };
        self.out += length;
        Ok(Some(if std::mem::replace(&mut self.greeted, true) {
            Piece::Message(Message(piece))
        } else {
            Piece::Greeting(piece)
        }))
    }
}

/// A part of the stream.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// The first eight bytes.
    Greeting(Vec<u8>),
    /// A message.
    Message(Message),
}

/// A message with its head.
#[derive(Debug, PartialEq, Eq)]
pub struct Message(Vec<u8>);

/// What a daemon says of itself when it comes.
#[derive(Debug, PartialEq, Eq)]
pub struct Login {
    /// Where it takes jobs.
    pub port: u16,
    /// How many at a time.
    pub slots: u32,
    /// What it is called.
    pub name: String,
}

impl Message {
    /// All of it.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn kind(&self) -> Option<u32> {
        number(&self.0, 4)
    }

    /// What it says of its sender.
    ///
    /// # Errors
    /// When it is no login, or has a name that cannot be shown.
    pub fn login(&self) -> Result<Login, Odd> {
        if self.kind() != Some(LOGIN) {
            return Err(Odd::Kind);
        }
        let mut at = HEAD;
        let mut next = || {
            let found = number(&self.0, at);
            at += 4;
            found.ok_or(Odd::Kind)
        };
        let port = u16::try_from(next()?).ok().filter(|port| *port > 0).ok_or(Odd::Kind)?;
        let slots = next()?;
        let environments = next()?;
        // Each is two texts.
        for _ in 0..environments.saturating_mul(2) {
            at += text(&self.0, at).ok_or(Odd::Kind)?.len() + 4;
        }
        let name = text(&self.0, at).ok_or(Odd::Kind)?;
        let name = name.strip_suffix(b"\0").unwrap_or(name);
        if !is_name(name) {
            return Err(Odd::Name);
        }
        Ok(Login { port, slots, name: String::from_utf8_lossy(name).into_owned() })
    }

    /// A login with at most so many slots.
    pub fn at_most(&mut self, slots: u32) {
        let said = number(&self.0, HEAD + 4).unwrap_or_default();
        self.put(HEAD + 4, said.min(slots));
    }

    /// Whether a helper says this once it has logged in. Whenever it was sent a compiler it logs in again, with port 0 and no slots
    /// (`Daemon::reannounce_environments`); the scheduler takes only the list of compilers from that (`handle_relogin`). What a daemon might
    /// ask of the scheduler is the builder's to ask.
    #[must_use]
    pub fn is_of_a_helper(&self) -> bool {
        matches!(self.kind(), Some(PING | END | JOB_BEGIN | JOB_DONE | LOGIN | STATS))
    }

    /// Whether it tells the load of its machine.
    #[must_use]
    pub fn is_stats(&self) -> bool {
        self.kind() == Some(STATS)
    }

    /// Says another load, in thousandths: at 1000 the scheduler gives it nothing.
    pub fn set_load(&mut self, load: u32) {
        self.put(HEAD, load);
    }

    fn put(&mut self, at: usize, number: u32) {
        if let Some(place) = self.0.get_mut(at..at + 4) {
            place.copy_from_slice(&number.to_be_bytes());
        }
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}

/// A length and so many bytes.
fn text(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let length = usize::try_from(number(bytes, at)?).ok()?;
    bytes.get(at + 4..(at + 4).checked_add(length)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u32, words: &[&[u8]]) -> Vec<u8> {
        let body: Vec<u8> = kind.to_be_bytes().into_iter().chain(words.concat()).collect();
        let length = u32::try_from(body.len()).unwrap();
        length.to_be_bytes().into_iter().chain(body).collect()
    }

    fn word(text: &str) -> Vec<u8> {
        let length = u32::try_from(text.len() + 1).unwrap();
        length.to_be_bytes().into_iter().chain(text.bytes()).chain([0]).collect()
    }

    fn login(name: &str) -> Message {
        let (port, slots, one) = (10_245_u32.to_be_bytes(), 4_u32.to_be_bytes(), 1_u32.to_be_bytes());
        Message(message(LOGIN, &[&port, &slots, &one, &word("x86_64"), &word("gcc"), &word(name), &one]))
    }

    #[test]
    fn pieces_come_whole_however_the_bytes_come() {
        let stats = message(STATS, &[&1000_u32.to_be_bytes(), &[0; 16]]);
        let stream: Vec<u8> = [&HELLO[..], &HELLO, login("h1").bytes(), &stats].concat();
        for step in [1, 3, 7, stream.len()] {
            let (mut messages, mut found) = (Messages::default(), Vec::new());
            for bytes in stream.chunks(step) {
                messages.feed(bytes);
                while let Some(piece) = messages.take().unwrap() {
                    found.push(piece);
                }
            }
            let [Piece::Greeting(hello), Piece::Message(first), Piece::Message(second)] = &found[..] else {
                panic!("{found:?}")
            };
            assert_eq!(hello[..], [HELLO, HELLO].concat());
            assert_eq!(first.login(), Ok(Login { port: 10_245, slots: 4, name: "h1".into() }));
            assert!(second.is_stats() && second.is_of_a_helper() && second.bytes() == stats);
        }
    }

    #[test]
    fn what_a_helper_says_can_be_said_otherwise() {
        let mut stats = Message(message(STATS, &[&1000_u32.to_be_bytes(), &[7; 16]]));
        stats.set_load(0);
        assert_eq!(stats.bytes(), message(STATS, &[&[0; 4], &[7; 16]]));
        let mut many = login("h1");
        many.at_most(3);
        assert_eq!(many.login().unwrap().slots, 3);
        many.at_most(9);
        assert_eq!(many.login().unwrap().slots, 3);
    }

    #[test]
    fn strangers_get_no_further() {
        let mut messages = Messages::default();
        messages.feed(&[0; GREETING]);
        messages.feed(&u32::MAX.to_be_bytes());
        assert!(matches!(messages.take(), Ok(Some(Piece::Greeting(_)))));
        assert!(matches!(messages.take(), Err(Odd::Long(_))));
        for name in ["", "a b", "../x", "\u{1b}[2J", &"x".repeat(65)] {
            assert_eq!(login(name).login(), Err(Odd::Name), "{name:?}");
        }
        let whole = login("h1");
        for cut in 0..whole.bytes().len() - 4 {
            assert!(Message(whole.bytes()[..cut].to_vec()).login().is_err(), "{cut}");
        }
        // A job for others, and to look on at what others do.
        for kind in [b'G', b'R', b'Y', 0] {
            let message = Message(message(kind.into(), &[]));
            assert!(!message.is_of_a_helper() && message.login() == Err(Odd::Kind), "{kind}");
        }
        assert!(is_hello(HELLO) && is_hello([44, 0, 0, 0]));
        assert!(!is_hello(*b"HTTP") && !is_hello([0; 4]));
    }
}
