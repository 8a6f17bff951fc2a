//! Pages that are open in a browser, without one, for `scripts/bench-pages` and `scripts/bench-serve`.
//!
//! ```text
//!   pages serve BINARY ADDRESS VOLUME   a server of this volume that is told how a builder is: 2000 packages to do, 500 cycles, a change each second;
//!                                       prints its process
//!   pages read ADDRESS COUNT            opens as many pages, and a few that tell how late they are; prints "open COUNT SECONDS", its CPU so far,
//!                                       when all are open, and, when standard input ends, the events of each and how late they were
//!   pages ask ADDRESS PATH TIMES        the bytes of an answer, and the milliseconds that it takes: median and most
//! ```
//!
//! It knows nothing of gbsup but what is sent, so that it is compiled by itself.

use std::env::args;
use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// So many more are open that are sent the status itself, which says of when it is.
const PROBES: usize = 8;
const PACKAGES: u64 = 2000;
const CYCLES: u64 = 500;
/// Packages of a cycle.
const EACH: u64 = 40;
/// In the headline that [`serve`] tells: microseconds since the epoch.
const MARK: &str = "told at ";

fn main() {
    // cargo adds `--bench`.
    let words: Vec<String> = args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["serve", binary, address, volume] => serve(binary, address, volume),
        ["read", address, count] => read(address, count.parse().expect("a number of pages")),
        ["ask", address, path, times] => ask(address, path, times.parse().expect("how often")),
        _ => panic!("serve BINARY ADDRESS VOLUME | read ADDRESS COUNT | ask ADDRESS PATH TIMES"),
    }
}

/// Nothing comes of it until standard input has ended.
fn end_of_input() -> Receiver<()> {
    let (out, ended) = mpsc::channel();
    thread::spawn(move || {
        drop(io::copy(&mut io::stdin(), &mut io::sink()));
        drop(out);
    });
    ended
}

fn micros() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock");
    u64::try_from(now.as_micros()).expect("this millennium")
}

/// A time in seconds since the epoch, as RFC 3339 has it.
fn time(seconds: u64) -> String {
    let (day, second) = (seconds / 86_400, seconds % 86_400);
    // Years that begin in March, in eras of 400.
    let shifted = day + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let date = of_year - (153 * month + 2) / 5 + 1;
    let (year, month) =
        (era * 400 + year + u64::from(month >= 10), if month < 10 { month + 3 } else { month - 9 });
    format!("{year}-{month:02}-{date:02}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

/// How a builder is in the middle of a long build.
fn status(done: u64) -> String {
    let now = micros();
    let (wall, began) = (time(now / 1_000_000), time(now / 1_000_000 - 9000));
    format!(
        r#"{{"told":"status","status":{{"schema":1,"version":"0.1.0","state":"running","step":"build",
        "headline":"running: building {done} of {PACKAGES}, {MARK}{now}","since":"{began}","now":"{wall}",
        "cycle":{{"id":{CYCLES},"started":"{began}","reason":"interval"}},
        "progress":{{"done":{done},"total":{PACKAGES},"failed":0,"binary":2,"source":{done},"eta":{{"low":6600,"likely":7800,"high":10800,"unknown":2}}}},
        "plan":null,"pause":null,"pending":[],"next_cycle":null,"changes":[],"remedies":[],"warnings":[],"log":null,
        "jobs":[{{"package":"www-client/firefox-145.0.1","phase":"compile","elapsed":{done},"estimate":4200,"binary":false}},
        {{"package":"app-misc/package{done}-1.2.3","phase":"configure","elapsed":{done},"estimate":null,"binary":false}}],
        "release":{{"id":"2026-11-22.1","packages":{PACKAGES},"published":"{began}"}},
        "sync":{{"last":"{began}","revision":null,"stale_since":null}},
        "volume":{{"path":"/var/lib/gbsup","mounted":true,"free":335007449088}}}}}}"#
    )
    .replace("\n        ", "")
}

fn left() -> String {
    let mut told = r#"{"told":"left","left":["#.to_owned();
    for number in 0..PACKAGES {
        let comma = if number == 0 { "" } else { "," };
        let takes = if number % 5 == 0 { "null" } else { "90" };
        let _ = write!(
            told,
            r#"{comma}{{"package":"app-misc/package{number}-1.2.3","binary":{},"takes":{takes},"action":"update","before":["1.2.2"],"why":[{{"reason":"use-changed"}}],"use_changes":["-iptables*"]}}"#,
            number % 3 == 0
        );
    }
    told + "]}"
}

fn cycles() -> String {
    let now = micros() / 1_000_000;
    let mut told = r#"{"told":"cycles","cycles":["#.to_owned();
    for id in (1..=CYCLES).rev() {
        let at = |minute: u64| time(now - 9000 - 86_400 * (CYCLES - id) + 60 * minute);
        let comma = if id == CYCLES { "" } else { "," };
        let _ = write!(
            told,
            r#"{comma}{{"id":{id},"started":"{}","reason":"interval","ended":"{}","outcome":"done","steps":["#,
            at(0),
            at(EACH + 5)
        );
        for (step, from, to) in [("sync", 0, 1), ("build", 1, EACH + 4), ("publish", EACH + 4, EACH + 5)] {
            let comma = if from == 0 { "" } else { "," };
            let _ = write!(
                told,
                r#"{comma}{{"step":"{step}","started":"{}","ended":"{}","outcome":"done","log":null}}"#,
                at(from),
                at(to)
            );
        }
        told += r#"],"packages":["#;
        for number in 0..EACH {
            let comma = if number == 0 { "" } else { "," };
            let outcome = if number == 3 { "failed" } else { "built" };
            let _ = write!(
                told,
                r#"{comma}{{"package":"app-misc/package{number}-1.{id}","step":"build","binary":false,"started":"{}","ended":"{}","outcome":"{outcome}","log":null,"message":null}}"#,
                at(1 + number),
                at(3 + number)
            );
        }
        told += r#"],"predictions":[],"remedies":[],"releases":[]}"#;
    }
    told + "]}"
}

fn serve(binary: &str, address: &str, volume: &str) {
    let (mut tells, told) = UnixStream::pair().expect("a socket");
    tells.shutdown(Shutdown::Read).expect("a way in one direction");
    let mut server = Command::new(binary)
        .args(["serve", "--told", "--listen", address, "--volume", volume])
        .env("GBSUP_CONFIG", "/dev/null")
        .stdin(OwnedFd::from(told))
        .stderr(Stdio::null())
        .spawn()
        .expect("a server");
    println!("{}", server.id());
    let mut tell = |told: String| tells.write_all((told + "\n").as_bytes()).expect("a server that listens");
    tell(left());
    tell(cycles());
    let ended = end_of_input();
    for done in 1.. {
        tell(status(done));
        if ended.recv_timeout(Duration::from_secs(1)) != Err(RecvTimeoutError::Timeout) {
            break;
        }
    }
    drop(server.kill());
    drop(server.wait());
}

/// What a reader tells.
enum Seen {
    Open,
    /// An event, and how many milliseconds old what it says is, where that can be seen.
    Event(Option<f64>),
}

/// Milliseconds from what an event is about to now.
fn age(data: &str) -> Option<f64> {
    let now = micros();
    if let Some((_, rest)) = data.split_once(MARK) {
        let digits = rest.split(|byte: char| !byte.is_ascii_digit()).next()?;
        return Some((now as f64 - digits.parse::<f64>().ok()?) / 1000.0);
    }
    // The time of the day is enough.
    let at = data.split_once("\"now\":\"")?.1.split_once('T')?.1.split_once('Z')?.0;
    let mut parts = at.split(':').map(|part| part.parse::<f64>().ok());
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    let today = (now % 86_400_000_000) as f64 / 1000.0;
    Some(today - ((hour * 60.0 + minute) * 60.0 + second) * 1000.0)
}

/// Opens a page; nothing comes of it where the server has no place for it yet.
fn open(address: &str, path: &str) -> Option<BufReader<TcpStream>> {
    let mut stream = TcpStream::connect(address).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n").ok()?;
    let mut answer = BufReader::new(stream);
    let mut line = String::new();
    answer.read_line(&mut line).ok()?;
    line.starts_with("HTTP/1.1 200 ").then_some(answer)
}

fn follow(address: &str, path: &str, seen: &Sender<Seen>) {
    // A browser comes again as well. So many at once from one address have to stand in line.
    let tried = (0..100).find_map(|_| {
        open(address, path).or_else(|| {
            thread::sleep(Duration::from_millis(300));
            None
        })
    });
    let Some(answer) = tried else { return };
    let mut first = true;
    for line in answer.lines().map_while(Result::ok) {
        let Some(data) = line.strip_prefix("data: ") else { continue };
        // What is sent to whoever comes is as old as it is.
        let event = if first { Seen::Open } else { Seen::Event(age(data)) };
        first = false;
        if seen.send(event).is_err() {
            return;
        }
    }
}

fn read(address: &str, count: usize) {
    let (out, seen) = mpsc::channel();
    let all = count + PROBES;
    for number in 0..all {
        // Spread among the others, since they are sent to one after the other.
        let probe = (number * PROBES) % all < PROBES;
        let path = if probe { "/api/v1/events" } else { "/api/v1/events?page" };
        let (address, out) = (address.to_owned(), out.clone());
        let reader = thread::Builder::new().stack_size(128 << 10);
        reader.spawn(move || follow(&address, path, &out)).expect("a thread");
    }
    let (mut open, mut events, mut ages) = (0, 0, Vec::new());
    let ended = end_of_input();
    while ended.try_recv() == Err(TryRecvError::Empty) {
        match seen.recv_timeout(Duration::from_millis(200)) {
            Ok(Seen::Open) => {
                open += 1;
                if open == all {
                    (events, ages) = (0, Vec::new());
                    println!("open {all}");
                }
            }
            Ok(Seen::Event(age)) => {
                events += 1;
                ages.extend(age);
            }
            Err(_) => {}
        }
    }
    ages.sort_by(f64::total_cmp);
    let at = |hundredths: usize| {
        ages.get(ages.len().saturating_sub(1) * hundredths / 100).copied().unwrap_or(f64::NAN)
    };
    println!("events {} ages {} {:.1} {:.1} {:.1}", events / all, ages.len(), at(50), at(99), at(100));
}

fn ask(address: &str, path: &str, times: usize) {
    let mut took = Vec::new();
    let mut bytes = 0;
    for _ in 0..times {
        let begun = Instant::now();
        let mut stream = TcpStream::connect(address).expect("a server");
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: bench\r\nAccept: text/html\r\nConnection: close\r\n\r\n"
        )
        .expect("a request");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("an answer");
        took.push(begun.elapsed().as_secs_f64() * 1000.0);
        assert!(answer.starts_with(b"HTTP/1.1 200 "), "{path}: {}", String::from_utf8_lossy(&answer));
        bytes =
            answer.windows(4).position(|end| end == b"\r\n\r\n").map_or(0, |head| answer.len() - head - 4);
    }
    took.sort_by(f64::total_cmp);
    println!("{bytes} {:.2} {:.2}", took[took.len() / 2], took[took.len() - 1]);
}
