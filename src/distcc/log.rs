//! What clients write into the file that `DISTCC_LOG` names, unless they are to say more.
//!
//! ```text
//! distcc[57] compile from f1.cpp to f1.o
//! distcc[57] exec on 127.0.1.1:3632/2: x86_64-linux-gnu-g++ -O2 -c f1.cpp -o f1.o
//! distcc[57] compile f1.cpp on 127.0.1.1:3632/2 completed ok
//! distcc[57] (dcc_exit) exit: code 0; self: 0.002966 user 0.000000 sys; children: 0.132561 user 0.031708 sys
//! ```
//!
//! What clients hand to nobody, such as what is linked, has no line of the first kind, and the builder's own name in the others.

use core::net::SocketAddr;

/// What a client calls the machine that it runs on.
const HERE: &str = "localhost";

/// Where a file was compiled. Every build can write here what it likes, so nothing else is told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On the machine that it belongs to.
    Here,
    /// At this address.
    At(SocketAddr),
    /// At none that could be a helper's.
    Elsewhere,
}

/// What a client says, and the number of its process as it knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// The process.
    pub process: u32,
    /// What it says.
    pub said: Said<'a>,
}

/// What a client says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said<'a> {
    /// It has a file that a helper can compile.
    Begins,
    /// A compiler is started, with these arguments.
    Runs(&'a str),
    /// A file is compiled.
    Compiled(Place),
    /// That is all.
    Ends,
}

/// Reads a line.
#[must_use]
pub fn read(line: &str) -> Option<Line<'_>> {
    let (process, said) = line.trim_end().strip_prefix("distcc[")?.split_once("] ")?;
    let process = process.parse().ok()?;
    let said = if said.starts_with("(dcc_exit) ") {
        Said::Ends
    } else if let Some(run) = said.strip_prefix("exec on ") {
        Said::Runs(run.split_once(": ")?.1)
    } else {
        let file = said.strip_prefix("compile ")?;
        match file.strip_suffix(" completed ok") {
            Some(compiled) => {
                let (_, on) = compiled.rsplit_once(" on ")?;
                // Behind the address is how many files at a time it takes.
                let on = on.split('/').next()?;
                let at = || on.parse().map_or(Place::Elsewhere, Place::At);
                Said::Compiled(if on == HERE { Place::Here } else { at() })
            }
            None => file.starts_with("from ").then_some(Said::Begins)?,
        }
    };
    Some(Line { process, said })
}

/// Why clients hand a file to nobody that is compiled with these arguments: the option. Nothing when it is not compiled, or nothing is known.
#[must_use]
pub fn stays_for(arguments: &str) -> Option<&'static str> {
    let has = |option: &str| arguments.split(' ').any(|argument| argument == option);
    if !has("-c") {
        return None;
    }
    // distcc 3.4 compares whole words: with `-flto=auto` a file is handed on.
    ["-march=native", "-mtune=native", "-flto"].into_iter().find(|option| has(option))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_compiles_what_where() {
        for (said, expected) in [
            ("compile from f1.cpp to f1.o", Some(Said::Begins)),
            ("exec on 127.0.1.1:3632/2: g++ -c a b.cpp", Some(Said::Runs("g++ -c a b.cpp"))),
            (
                "compile f1.cpp on 127.0.1.1:3632/2 completed ok",
                Some(Said::Compiled(Place::At(([127, 0, 1, 1], 3632).into()))),
            ),
            ("compile a on b.c on localhost completed ok", Some(Said::Compiled(Place::Here))),
            ("compile a.c on \u{1b}[2Jh1,lzo completed ok", Some(Said::Compiled(Place::Elsewhere))),
            ("compile a.c on 127.0.1.1 completed ok", Some(Said::Compiled(Place::Elsewhere))),
            ("cpp f1.cpp on localhost completed ok", None),
            ("ERROR: compile bad.c on localhost failed", None),
            ("compile a.c on localhost", None),
            ("(dcc_exit) exit: code 1; self: 0.002286 user", Some(Said::Ends)),
            ("exec on 127.0.1.1", None),
            ("", None),
        ] {
            let line = format!("distcc[57] {said}\n");
            assert_eq!(read(&line), expected.map(|said| Line { process: 57, said }), "{said}");
        }
        for line in ["", "distcc[x] compile from a to b", "distccd[57] compile from a to b", "distcc[57]"] {
            assert_eq!(read(line), None, "{line}");
        }
    }

    #[test]
    fn what_is_handed_to_nobody_says_why() {
        for (arguments, why) in [
            ("g++ -march=native -c a.cpp", Some("-march=native")),
            ("g++ -mtune=native -c a.cpp", Some("-mtune=native")),
            ("g++ -flto -c a.cpp", Some("-flto")),
            ("g++ -flto=auto -c a.cpp", None),
            ("g++ -c -fltoo.cpp", None),
            ("g++ -march=native a.o -o a", None),
            ("g++ -O2 -c a.cpp", None),
        ] {
            assert_eq!(stays_for(arguments), why, "{arguments}");
        }
    }
}
