//! The two ends of a pipe for scripts/bench-output: a child that prints, as fast as it can or at a pace,
//! and a reader that says when everything has arrived.
//!
//! ```text
//! output print BYTES WIDTH BEGAN CPU        print so many bytes of lines this wide; the time into the file BEGAN, and in
//!                                           the end the nanoseconds of processor time it took into the file CPU
//! output pace BYTES WIDTH BEGAN CPU RATE    the same, so many lines a second
//! output read ENDED                         read up to the last line; then the time, the bytes, and the nanoseconds of
//!                                           processor time that this took into the file ENDED
//! ```

use std::io::{self, Read, Write};
use std::time::{Duration, Instant, SystemTime};
use std::{env, fs, process, thread};

/// What a build prints, more or less: compilers, configure, meson, make and Portage itself.
const LINES: &[&str] = &[
    "x86_64-pc-linux-gnu-gcc -DHAVE_CONFIG_H -I. -I.. -O2 -pipe -c -o inflate.o inflate.c -fPIC -DPIC",
    "checking whether x86_64-pc-linux-gnu-gcc supports -fno-rtti -fno-exceptions and friends... no",
    "  CC       src/library/container/hash-table-with-a-rather-long-name.lo and what follows it",
    "[1234/5678] Compiling C++ object lib/Target/X86/CMakeFiles/LLVMX86CodeGen.dir/X86ISel.cpp.o",
    "make[3]: Entering directory '/var/tmp/portage/dev-libs/something-1.2.3/work/something-1.2.3'",
    " * Applying 0001-a-patch-that-mends-what-upstream-has-not-mended-since-last-year.patch ...",
    "libtool: link: ( cd \".libs\" && rm -f \"libz.so.1\" && ln -s \"libz.so.1.2.13\" \"libz.so.1\" )",
    "/usr/bin/install -c -m 644 doc/manual/chapter-about-nothing-in-particular.html image/usr/share/doc",
];
/// The last line; nothing else ends so.
const LAST: &[u8] = b"and that was all\n";
/// What a program with a full buffer writes at a time.
const CHUNK: usize = 64 << 10;

fn main() -> io::Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["print", bytes, width, began, cpu] => print(number(bytes), number(width), began, cpu, None),
        ["pace", bytes, width, began, cpu, rate] => {
            let rate = number(rate).saturating_mul(number(width));
            print(number(bytes), number(width), began, cpu, Some(rate))
        }
        ["read", ended] => read(ended),
        // `cargo bench` and `cargo test --benches` call it with arguments of their own.
        _ => {
            eprintln!("this is a part of scripts/bench-output");
            Ok(())
        }
    }
}

fn number(text: &str) -> usize {
    text.parse().unwrap_or_else(|_| {
        eprintln!("{text} is not a number");
        process::exit(2)
    })
}

/// The clock that bash reads too, as EPOCHREALTIME.
fn now() -> u128 {
    SystemTime::UNIX_EPOCH.elapsed().map_or(0, |time| time.as_micros())
}

/// Prints `bytes` bytes in all, the last line being [`LAST`]; `rate` is in bytes a second.
fn print(bytes: usize, width: usize, began: &str, cpu: &str, rate: Option<usize>) -> io::Result<()> {
    // A hundred times a second is often enough to look like a steady stream.
    let size = rate.map_or(CHUNK, |rate| rate / 100);
    let mut chunk = Vec::with_capacity(size + width);
    for line in LINES.iter().cycle() {
        if chunk.len() >= size {
            break;
        }
        chunk.extend(line.bytes().chain(std::iter::repeat(b'.')).take(width.max(2) - 1));
        chunk.push(b'\n');
    }
    fs::write(began, format!("{}\n", now()))?;
    let start = Instant::now();
    let mut output = io::stdout().lock();
    let mut left = bytes.saturating_sub(LAST.len());
    let mut printed = 0;
    while left > chunk.len() {
        output.write_all(&chunk)?;
        left -= chunk.len();
        printed += chunk.len();
        if let Some(rate) = rate {
            output.flush()?;
            let due = start + Duration::from_secs_f64(printed as f64 / rate as f64);
            thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    }
    // One more line, however long, makes up for what is left.
    chunk.truncate(left.saturating_sub(1));
    if left > 0 {
        chunk.push(b'\n');
    }
    output.write_all(&[&chunk, LAST].concat())?;
    output.flush()?;
    fs::write(cpu, processor_time()?)
}

/// The nanoseconds that this process, which has one thread, has run (proc(5), `/proc/pid/schedstat`).
fn processor_time() -> io::Result<String> {
    let stat = fs::read_to_string("/proc/self/schedstat")?;
    Ok(stat.split(' ').next().unwrap_or_default().to_owned())
}

fn read(ended: &str) -> io::Result<()> {
    let mut input = io::stdin().lock();
    let mut buffer = vec![0; 128 << 10];
    let mut total = 0;
    loop {
        let count = match input.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        total += count;
        // gbsup may have said a word or two after it.
        let tail = &buffer[count.saturating_sub(1024)..count];
        if tail.windows(LAST.len()).any(|window| window == LAST) {
            return fs::write(ended, format!("{} {total} {}\n", now(), processor_time()?));
        }
    }
}
