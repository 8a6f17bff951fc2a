//! How the time of each reader grows with what it reads, for `scripts/bench-readers`: a line `NAME MS MS MS` for n, 2n and 4n.
//!
//! The inputs are those that a reader with a search in a list, or with a step back, would take longest for. The loop is among them, which reads
//! a state of many failures.

#[path = "readers/failures.rs"]
mod failures;

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Instant;

use gbsup::config;
use gbsup::portage::files::built::Built;
use gbsup::portage::files::durations::Durations;
use gbsup::portage::files::index::{Binary, Index};
use gbsup::portage::files::repository::Repositories;
use gbsup::portage::files::settings::values;
use gbsup::portage::files::{log, vdb, xpak};
use gbsup::portage::names::cpv::Cpv;
use gbsup::portage::names::exclude::excludes;
use gbsup::portage::names::{depend, licence};
use gbsup::portage::output::plan::Reader;
use gbsup::portage::output::scanner::Scanner;
use gbsup::portage::output::sync::Heard;
use gbsup::portage::output::{advice, buildlog, circular, complaints, elog, gpg};

/// As much as each reader gets first, of whatever its input is made of. Four times as much and what is made of it stays in a
/// cache of a core, whose end would be taken for growth of the reader.
const N: usize = 1000;
/// The best of so many rounds counts.
const ROUNDS: usize = 25;

/// Reads an input; how long an input is only the reader knows.
type Read = Box<dyn Fn()>;
/// Makes an input of n parts.
type Make = fn(usize) -> Read;

/// `n` lines, each made of its number.
fn lines(n: usize, line: impl Fn(usize) -> String) -> String {
    (0..n).fold(String::new(), |mut text, number| {
        let _ = writeln!(text, "{}", line(number));
        text
    })
}

fn scan(text: String) -> Read {
    Box::new(move || {
        let mut scanner = Scanner::new();
        text.lines().for_each(|line| drop(scanner.line(line.as_bytes())));
        black_box(scanner.finish());
    })
}

fn check(text: String) -> Read {
    Box::new(move || drop(black_box(config::check(Some(("gbsup.toml", &text)), std::iter::empty()))))
}

fn advise<T: 'static>(text: &str, read: fn(&[String]) -> T) -> Read {
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    Box::new(move || drop(black_box(read(&lines))))
}

const READERS: &[(&str, Make)] = &[
    ("a name of dashes", |n| {
        let name = format!("a/b{}-x", "-1".repeat(10 * n));
        Box::new(move || drop(black_box(Cpv::parse(name.as_bytes()))))
    }),
    ("names, one after the other", |n| {
        let names = lines(n, |number| format!("a/b{}-{number}", "-1".repeat(100)));
        Box::new(move || names.lines().for_each(|name| drop(black_box(Cpv::parse(name.as_bytes())))))
    }),
    ("a pattern of stars", |n| {
        let (pattern, text) = (format!("a/{}b", "*a".repeat(100)), format!("a/{}", "a".repeat(250)));
        Box::new(move || (0..n / 10).for_each(|_| assert!(!black_box(excludes(&pattern, &text, "0")))))
    }),
    ("dependencies in a row", |n| {
        let text = lines(n, |number| format!("|| ( >=a/b{number}-1:0/1=[x] ( a/c d? ( a/d ) ) )"));
        Box::new(move || drop(black_box(depend::parse(&text, |_| true))))
    }),
    ("dependencies in each other", |n| {
        let text = "( ".repeat(100 * n);
        Box::new(move || drop(black_box(depend::parse(&text, |_| true))))
    }),
    ("licences", |n| {
        let text = lines(n, |number| format!("|| ( L{number} ( MIT x? ( GPL-2 ) ) )"));
        let free = ["MIT", "GPL-2"].into();
        Box::new(move || drop(black_box(licence::forbids(&text, "", &["x"].into(), &free))))
    }),
    ("groups of licences", |n| {
        let text = lines(n, |number| format!("G{number} @G{} L{number}", number + 1));
        Box::new(move || {
            let mut groups = licence::Groups::default();
            groups.read(&text);
            black_box(groups.licences("G0"));
        })
    }),
    ("a circle", |n| {
        let text =
            lines(n, |number| format!("(a/b{number}-1:0/0::r, ebuild scheduled for merge) depends on"));
        let text = text + &lines(n, |number| format!("- a/b{number}-1 (Change USE: -x)"));
        Box::new(move || assert!(black_box(circular::from_text(text.lines()).solution(&[])).is_some()))
    }),
    ("a report of circles", |n| {
        let links: Vec<_> = (0..n).map(|number| format!("{{\"parent\": \"a/b{number}-1\"}}")).collect();
        let change =
            |number| format!("{{\"package\": \"a/b{number}-1\", \"use_changes\": [{{\"x\": true}}]}}");
        let changes: Vec<_> = (0..n).map(change).collect();
        let text = format!(
            "{{\n\"shortest_cycle\": [{}], \"solutions\": [{}]}}\n",
            links.join(","),
            changes.join(",")
        );
        Box::new(move || {
            let circle = circular::from_json(text.as_bytes()).expect("a report");
            assert!(black_box(circle.solution(&[])).is_some());
        })
    }),
    ("failed packages", |n| {
        scan(lines(n, |number| format!(">>> Failed to emerge a/b-{number}, Log file:\n>>>  '/l/{number}'")))
    }),
    ("merged and failed packages", |n| {
        let merged = lines(n, |number| format!(">>> Completed (1 of 1) a/b-{number}::r"));
        scan(merged + &lines(n, |number| format!(" *  (a/b-{number}:0/0::r, ebuild scheduled for merge)")))
    }),
    ("atoms of the world that are gone", |n| {
        scan(lines(n, |_| "!!! Problems have been detected with your world file".to_owned()))
    }),
    ("slot conflicts", |n| {
        advise(&lines(n, |number| format!("=a/b-1 required by (a/c-{number}:0/0::r, x)")), advice::requirers)
    }),
    ("blockers", |n| advise(&lines(n, |number| format!("  (a/c-{number}:0/0::r, x)")), advice::in_brackets)),
    ("a plan with rebuilds", |n| {
        let plan = lines(n, |number| format!("[ebuild   R   ] a/b{number}-1:0/0::r USE=\"x\" 1 KiB"));
        let causes = "The following packages are causing rebuilds:\n\n  (a/c-1:0/0::r, ebuild scheduled for merge) causes rebuilds for:\n";
        let text = plan
            + causes
            + &lines(n, |number| format!("    (a/b{number}-1:0/0::r, ebuild scheduled for merge)"));
        let binary = |number| Binary {
            cpv: Cpv::parse(format!("a/b{number}-1").as_bytes()).expect("a name"),
            flags: [].into(),
            built: None,
        };
        let binaries: Vec<_> = (0..n).map(binary).collect();
        Box::new(move || {
            let mut reader = Reader::new();
            text.lines().for_each(|line| reader.line(line.as_bytes()));
            black_box(reader.finish(&binaries));
        })
    }),
    ("unknown keys", |n| check(format!("[build]\n{}", lines(n, |number| format!("key{number} = 1"))))),
    ("bad targets", |n| check(format!("[build]\ntargets = [\n{}]\n", lines(n, |_| "\" \",".to_owned())))),
    ("sections of nobody", |n| check(lines(n, |number| format!("[s{number}]\na = 1")))),
    ("lines that are no TOML", |n| check(lines(n, |_| "= =".to_owned()))),
    ("a long key", |n| check(format!("[build]\n{} = 1\n", "j".repeat(10 * n)))),
    ("complaints", |n| {
        let text = lines(n, |number| format!("--- Invalid atom in /etc/portage/package.use: x{number}"));
        Box::new(move || {
            for complaint in &mut complaints::read(text.as_bytes()) {
                complaint.locate(&text);
            }
        })
    }),
    ("settings", |n| {
        let text = lines(n, |_| "A='\"".to_owned());
        Box::new(move || drop(black_box(values(text.as_bytes()))))
    }),
    ("repositories that are synced", |n| {
        let begin = |number| {
            format!(">>> Syncing repository 'r{number}' into '/var/db/repos/r{number}'...\nfatal: x")
        };
        let text = lines(n, begin);
        let repositories = Repositories::default();
        Box::new(move || {
            let mut heard = Heard::default();
            text.lines().for_each(|line| heard.line(line.as_bytes(), &repositories.all));
            black_box(heard);
        })
    }),
    ("builds of one package", |n| {
        let built = format!("\n{}", lines(n, |number| format!("\nCPV: a/b-1\nBUILD_TIME: {number}")));
        let log = lines(n, |number| {
            let at = 2 * number;
            format!(
                "{at}:  *** emerge --jobs=2 x\n{at}:  >>> emerge (1 of 1) a/b-1 to /\n{}:  === (1 of 1) Merging (a/b-1::x)\n{}:  ::: completed emerge (1 of 1) a/b-1 to /",
                at + 1,
                at + 1
            )
        });
        Box::new(move || {
            let mut durations = Durations::default();
            durations.read(log.as_bytes(), &Built::by(|| built.clone().into()));
            black_box(durations);
        })
    }),
    ("emerge.log, byte by byte", |n| {
        let text = lines(n, |number| format!("{number}:  >>> emerge (1 of 1) a/b-1 to /"));
        Box::new(move || {
            let mut reader = log::Reader::default();
            text.as_bytes().chunks(1).for_each(|byte| reader.feed(byte, |entry| _ = black_box(entry)));
        })
    }),
    ("the loop with failures", |n| Box::new(failures::events(n))),
    ("a build log", |n| {
        let text = lines(n, |number| {
            format!("a.c:{number}: error: x\n * ERROR: a/b-1::r failed (compile phase):\n *   no")
        });
        Box::new(move || drop(black_box(buildlog::examine(text.as_bytes()))))
    }),
    ("an index", |n| {
        let text =
            format!("VERSION: 0\n{}", lines(n, |number| format!("\nCPV: a/b-{number}\nSIZE: 1\nUSE: x")));
        Box::new(move || drop(black_box(Index::parse(text.as_bytes()).to_string())))
    }),
    ("CONTENTS with one long path", |n| {
        let text = format!("dir {}\n", "/1".repeat(10 * n));
        Box::new(move || drop(black_box(vdb::versioned(&text))))
    }),
    ("CONTENTS", |n| {
        let text = lines(n, |number| format!("obj /usr/lib64/p-{number}/5.40/a 0 0"));
        Box::new(move || drop(black_box(vdb::versioned(&text))))
    }),
    ("messages of elog", |n| {
        let text = lines(n, |_| "WARN: postinst\nx".to_owned());
        let (cpv, at) =
            (Cpv::parse(b"a/b-1").expect("a name"), elog::time("20261122-143000").expect("a time"));
        Box::new(move || drop(black_box(elog::entry(&cpv, at, text.as_bytes()))))
    }),
    ("keys", |n| {
        let text = lines(n, |number| format!("pub:u:255:22:A:{number}::::::scSC:::\nfpr:::::::::F{number}:"));
        Box::new(move || drop(black_box(gpg::keys(&text))))
    }),
    ("an XPAK index", |n| {
        let entry = [&[0, 0, 0, 1, b'a'][..], &[0; 8]].concat();
        let index = entry.repeat(n);
        let length = |length: usize| u32::try_from(length).expect("small").to_be_bytes();
        let segment = [&b"XPAKPACK"[..], &length(index.len()), &length(0), &index, b"XPAKSTOP"].concat();
        let file = [&b"x"[..], &segment, &length(segment.len()), b"STOP"].concat();
        Box::new(move || drop(black_box(xpak::check(std::io::Cursor::new(&file), file.len() as u64))))
    }),
];

/// The milliseconds that a reader takes, at best.
fn best(read: &Read) -> f64 {
    let time = |_| {
        let began = Instant::now();
        read();
        began.elapsed().as_secs_f64() * 1000.0
    };
    (0..ROUNDS).map(time).fold(f64::INFINITY, f64::min)
}

fn main() {
    for (name, make) in READERS {
        print!("{}", name.replace(' ', "_"));
        for times in [1, 2, 4] {
            print!(" {:.4}", best(&make(times * N)));
        }
        println!();
    }
}
