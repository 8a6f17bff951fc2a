//! The protocol between a client and the daemon that compiles for it.
//!
//! All is tokens: four letters and a number of eight hexadecimal digits, which for a text or a file is how many bytes follow. A client sends its
//! version (`DIST`), how many arguments there are (`ARGC`), each of them (`ARGV`), and what is to be compiled (`DOTI`), preprocessed. The
//! daemon answers with its version (`DONE`), the status of the compiler as wait(2) has it (`STAT`), what that said (`SERR`, `SOUT`), and what it
//! made (`DOTO`).

use thiserror::Error;

/// The version in which files are sent as they are.
const VERSION: u32 = 1;
/// Bytes of a token.
const TOKEN: usize = 12;
/// So many arguments at most are read.
const MOST_ARGUMENTS: u32 = 20_000;
/// Bytes of the name of a compiler.
const LONGEST_NAME: usize = 100;
/// What options begin with for which there is a second file: one that comes of it and would stay where it is compiled, or one that is not there
/// and is missed without a word. Clients know it of some, such as
/// `-fprofile-arcs`.
const SECOND_FILES: [&str; 19] = [
    "-gsplit-dwarf",
    "-save-temps",
    "--save-temps",
    "-fdump-",
    "-fstack-usage",
    "-fcallgraph-info",
    "-fprofile-",
    "-fauto-profile",
    "-fbranch-probabilities",
    "-fopt-info",
    "-fsave-optimization-record",
    "-foptimization-record-file",
    "-ftime-trace",
    "-fmodule",
    "-fdiagnostics-format=sarif-file",
    "-fdiagnostics-format=json-file",
    "-aux-info",
    "-serialize-diagnostics",
    "--serialize-diagnostics",
];
/// What a client may send before the file, and a daemon in all of its answer to a probe.
pub const MOST: usize = 4 << 20;

/// Why a conversation is ended.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Odd {
    /// It is no distcc, or one that is asked for more than this knows.
    #[error("it does not speak distcc as it was spoken to")]
    Words,
    /// It is longer than any.
    #[error("it sent more than {} MiB", MOST >> 20)]
    Long,
}

/// What a client wants compiled with what.
#[derive(Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// The compiler and its arguments.
    pub arguments: Vec<&'a [u8]>,
}

impl Request<'_> {
    /// The compiler, when it is called by a name and by nothing else.
    #[must_use]
    pub fn compiler(&self) -> Option<&str> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._+-".contains(&byte);
        let name = str::from_utf8(self.arguments.first()?).ok()?;
        Some(name).filter(|name| name.len() <= LONGEST_NAME && name.bytes().all(plain))
    }

    /// Why it is to be compiled on the machine that it comes from: the option, or what that begins with.
    #[must_use]
    pub fn stays_for(&self) -> Option<&str> {
        self.arguments.iter().find_map(|argument| stays_for(str::from_utf8(argument).ok()?))
    }
}

/// Why what is compiled with this argument is to be compiled on the machine that it comes from: what comes of it depends on the machine, of which
/// clients know `-march` and `-mtune` alone, or is more than an object.
#[must_use]
pub fn stays_for(argument: &str) -> Option<&str> {
    if argument.starts_with("-m") && argument.ends_with("=native") || argument == "-da" {
        return Some(argument);
    }
    SECOND_FILES.into_iter().find(|option| argument.starts_with(option))
}

/// Reads what a client sends before the file; nothing as long as more of it is to come.
///
/// # Errors
/// When it is no request, or one without end.
pub fn request(bytes: &[u8]) -> Result<Option<Request<'_>>, Odd> {
    fn read<'a>(words: &mut Words<'a>) -> Result<Request<'a>, Stop> {
        words.number("DIST")?;
        let count = words.number("ARGC")?;
        if count > MOST_ARGUMENTS {
            return Err(Stop::Odd(Odd::Long));
        }
        let arguments = (0..count).map(|_| words.text("ARGV")).collect::<Result<_, _>>()?;
        Ok(Request { arguments })
    }
    whole(bytes, read)
}

/// What a client says that wants a file compiled which is preprocessed.
#[must_use]
pub fn ask(arguments: &[&str], source: &str) -> Vec<u8> {
    let mut said = Vec::new();
    let mut token = |name: &str, number: usize, bytes: &[u8]| {
        said.extend(format!("{name}{number:08x}").bytes());
        said.extend(bytes);
    };
    token("DIST", VERSION as usize, b"");
    token("ARGC", arguments.len(), b"");
    for argument in arguments {
        token("ARGV", argument.len(), argument.as_bytes());
    }
    token("DOTI", source.len(), source.as_bytes());
    said
}

/// What a daemon answers.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer<'a> {
    /// How the compiler ended, as wait(2) has it: 0 when it has made what follows.
    pub status: u32,
    /// What it complained of.
    pub said: &'a [u8],
    /// What it made.
    pub object: &'a [u8],
}

/// Reads an answer; nothing as long as more of it is to come.
///
/// # Errors
/// When it is none, or one without end.
pub fn answer(bytes: &[u8]) -> Result<Option<Answer<'_>>, Odd> {
    fn read<'a>(words: &mut Words<'a>) -> Result<Answer<'a>, Stop> {
        words.number("DONE")?;
        let status = words.number("STAT")?;
        let said = words.text("SERR")?;
        words.text("SOUT")?;
        Ok(Answer { status, said, object: words.text("DOTO")? })
    }
    whole(bytes, read)
}

/// Why it cannot be read.
enum Stop {
    /// More is to come.
    Short,
    Odd(Odd),
}

fn whole<'a, T>(
    bytes: &'a [u8],
    read: impl FnOnce(&mut Words<'a>) -> Result<T, Stop>,
) -> Result<Option<T>, Odd> {
    match read(&mut Words(bytes)) {
        Ok(read) => Ok(Some(read)),
        Err(Stop::Short) if bytes.len() <= MOST => Ok(None),
        Err(Stop::Short) => Err(Odd::Long),
        Err(Stop::Odd(odd)) => Err(odd),
    }
}

/// What is still to be read.
struct Words<'a>(&'a [u8]);

impl<'a> Words<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Stop> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Stop::Short)?;
        self.0 = rest;
        Ok(taken)
    }

    fn number(&mut self, name: &str) -> Result<u32, Stop> {
        let known = &self.0[..self.0.len().min(name.len())];
        if !name.as_bytes().starts_with(known) {
            return Err(Stop::Odd(Odd::Words));
        }
        let digits = &self.take(TOKEN)?[name.len()..];
        let is_hex = digits.iter().all(u8::is_ascii_hexdigit);
        let digits = str::from_utf8(digits).ok().filter(|_| is_hex);
        digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()).ok_or(Stop::Odd(Odd::Words))
    }

    fn text(&mut self, name: &str) -> Result<&'a [u8], Stop> {
        let length = self.number(name)? as usize;
        if length > MOST {
            return Err(Stop::Odd(Odd::Long));
        }
        self.take(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: &[u8] =
        b"DIST00000001ARGC00000003ARGV00000003gccARGV00000002-cARGV00000003a.cDOTI00000003int";
    const CAME: &[u8] = b"DONE00000001STAT00000100SERR00000002noSOUT00000000DOTO00000000";

    #[test]
    fn what_is_said_can_be_read() {
        assert_eq!(ask(&["gcc", "-c", "a.c"], "int"), SENT);
        let asked = request(SENT).unwrap().unwrap();
        assert_eq!((asked.compiler(), asked.arguments.len(), asked.stays_for()), (Some("gcc"), 3, None));
        assert_eq!(answer(CAME), Ok(Some(Answer { status: 256, said: b"no", object: b"" })));
        for (whole, said) in [(true, &SENT[..SENT.len() - 15]), (false, &SENT[..SENT.len() - 16])] {
            assert_eq!(request(said).map(|read| read.is_some()), Ok(whole));
        }
        for cut in 0..CAME.len() {
            assert_eq!(answer(&CAME[..cut]), Ok(None), "{cut}");
        }
    }

    #[test]
    fn what_another_machine_would_make_otherwise_stays() {
        for (argument, expected) in [
            ("-march=native", Some("-march=native")),
            ("-mcpu=native", Some("-mcpu=native")),
            ("-march=x86-64", None),
            ("-Dm=native", None),
            ("-gsplit-dwarf=split", Some("-gsplit-dwarf")),
            ("-save-temps=obj", Some("-save-temps")),
            ("-fdump-tree-all", Some("-fdump-")),
            ("-fstack-usage", Some("-fstack-usage")),
            ("-fprofile-use=a.gcda", Some("-fprofile-")),
            ("-da", Some("-da")),
            ("-dA", None),
            ("-fstack-protector", None),
            ("-D-save-temps", None),
        ] {
            let said = ask(&["/usr/bin/gcc", argument], "");
            let asked = request(&said).unwrap().unwrap();
            assert_eq!((asked.stays_for(), asked.compiler()), (expected, None), "{argument}");
        }
    }

    #[test]
    fn what_is_no_name_is_none() {
        let long = "g".repeat(LONGEST_NAME + 1);
        for (name, is_one) in [
            ("x86_64-pc-linux-gnu-g++", true),
            ("clang-20", true),
            (&long[1..], true),
            (&long, false),
            ("gcc\nhelpers: all is well", false),
            ("gcc\u{202e}", false),
            ("./gcc", false),
        ] {
            let said = ask(&[name], "");
            assert_eq!(request(&said).unwrap().unwrap().compiler(), is_one.then_some(name), "{name:?}");
        }
    }

    #[test]
    fn strangers_get_no_further() {
        for (said, odd) in [
            (&b"GET / HT"[..], Odd::Words),
            (b"DIST0000000x", Odd::Words),
            (b"DIST+0000001", Odd::Words),
            (b"DIST00000001ARGCffffffff", Odd::Long),
            (b"DIST00000001ARGC00000001ARGVffffffff", Odd::Long),
        ] {
            assert_eq!(request(said), Err(odd));
        }
        assert_eq!(answer(b"DONE00000001STAT00000000SERRffffffff"), Err(Odd::Long));
        assert_eq!(answer(b"HTTP/1.1 400"), Err(Odd::Words));
    }
}
