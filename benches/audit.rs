//! What scripts/bench-audit measures: gbsup's audit of a package index, and an index to audit.
//!
//! ```text
//! audit write FILE PACKAGES    an index of so many packages, made up
//! audit run FILE               audits it; prints how many packages it offers, the seconds that took, and the most
//!                              memory in use, in MiB
//! ```
//!
//! The files themselves are not looked at: that is what `gbsup verify` is for.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::time::Instant;

use gbsup::decide::audit::{Facts, audit};
use gbsup::portage::files::index::Index;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["write", file, packages] => Ok(fs::write(file, index(packages.parse()?)?)?),
        ["run", file] => run(file),
        _ => Err("see the top of benches/audit.rs".into()),
    }
}

fn run(file: &str) -> Result<(), Box<dyn Error>> {
    let began = Instant::now();
    let index = Index::parse(fs::read(file)?);
    let (damaged, lost) = (BTreeMap::new(), BTreeMap::new());
    let found = audit(Facts {
        index: &index,
        damaged: &damaged,
        lost: &lost,
        installed: &[],
        provided: &[],
        wanted: &[],
    });
    let seconds = began.elapsed().as_secs_f64();
    let status = fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak: u64 = peak.and_then(|line| line.split_whitespace().next()).ok_or("no VmHWM")?.parse()?;
    println!("{} {seconds:.3} {}", found.offered.len(), peak >> 10);
    Ok(())
}

/// Packages as a builder of a desktop has them: a library for every third, two flags, four dependencies with slots, one of them
/// bound and one with a choice.
fn index(packages: u64) -> Result<String, Box<dyn Error>> {
    let mut text = format!(
        "ARCH: amd64\nIUSE_IMPLICIT: abi_x86_64\nPACKAGES: {packages}\nPROFILE: default\nTIMESTAMP: 1795365948\nVERSION: 0\n\n"
    );
    let name = |n: u64| format!("cat{}-misc/package{n}", n % 150);
    for n in 0..packages {
        let [a, b, c, d] = [n / 2, n / 3, n / 5, n / 7].map(name);
        let library = |n: u64| format!("x86_64: libpackage{}.so.1", n / 3 * 3);
        let cpv = format!("{}-1.{}", name(n), n % 10);
        write!(text, "BUILD_ID: 1\nBUILD_TIME: {}\nCPV: {cpv}\n", 1_790_000_000 + n)?;
        text += "DEFINED_PHASES: compile configure install prepare\nEAPI: 8\nIUSE: +a b\nKEYWORDS: amd64\nLICENSE: GPL-2\n";
        writeln!(text, "MD5: {n:032x}\nPATH: {cpv}-1.gpkg.tar")?;
        if n % 3 == 0 {
            writeln!(text, "PROVIDES: {}", library(n))?;
        }
        if n > 0 {
            writeln!(text, "RDEPEND: {a}:0/3=[a] >={b}-1:0[-b(-)] || ( {c} {d}[b] ) !<{d}-1")?;
            writeln!(text, "REQUIRES: {} libc.so.6", library(n / 2))?;
        }
        writeln!(
            text,
            "SHA1: {n:040x}\nSIZE: {}\nSLOT: 0/3\nUSE: a abi_x86_64\nMTIME: 1795365750\nREPO: gentoo\n",
            10_000 + n
        )?;
    }
    Ok(text)
}
