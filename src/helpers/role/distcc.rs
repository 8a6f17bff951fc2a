//! What helps with distcc: its daemon compiles for the builder alone, and a conversation with the relay there says that it is here.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::unistd::{geteuid, gethostname};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::place::{DISTCC_DIRECTORY, end_of, files, look_up};
use crate::helpers::{BEAT, DISTCCD, READY, REFUSED, VERSION, probe};
use crate::host::compilers;
use crate::host::process::NOBODY;
use crate::model::helpers::Announced;
use crate::portage::command::Inherits;
use crate::{children, sys};

/// The compilers that may be started, for the daemon.
const COMPILERS: &str = "/tmp/.gbsup-compilers";
/// How long until a builder that has gone is looked for again.
const AGAIN: Duration = Duration::from_secs(5);
/// How long until it is looked whether the daemon listens.
const SOON: Duration = Duration::from_millis(20);
/// A builder that says nothing for so long has gone, or the way to it.
const SILENT: Duration = BEAT.saturating_mul(6);
/// Bytes of what a builder says that are shown.
const SHOWN: u64 = 400;

/// Helps until the daemon ends.
///
/// # Errors
/// Why it cannot, or cannot any more.
pub(super) async fn help(builder: &str, slots: u32) -> Result<(), String> {
    list_compilers()?;
    let address = look_up(builder)?;
    let no_builder = |why: String| format!("no builder can be helped: {why}");
    // It compiles for nobody else, so that has to be known first.
    probe::in_time(address, TcpStream::connect(address)).await.map_err(no_builder)?;
    let daemon =
        start(address.ip(), slots).map_err(|problem| format!("distccd cannot be started: {problem}"))?;
    let mut ended = end_of(daemon).map_err(|problem| format!("distccd cannot be waited for: {problem}"))?;
    tokio::select! {
        how = &mut ended => return Err(format!("distccd {}", how.unwrap_or_else(|_| "has ended".into()))),
        () = until_it_listens() => {}
    }
    let mut builder_says = announce(address, slots).await.map_err(no_builder)?;
    println!("gbsup: compiles for {address}, {} at a time", files(slots));
    let talk = async {
        loop {
            show(builder_says).await;
            println!("gbsup: the builder has gone");
            let mut known = String::new();
            builder_says = loop {
                sleep(AGAIN).await;
                if look_up(builder)? != address {
                    return Err::<(), _>(format!("the builder is not at {address} any more"));
                }
                match announce(address, slots).await {
                    Ok(says) => break says,
                    Err(why) if why == known => {}
                    Err(why) => {
                        println!("gbsup: {why}");
                        known = why;
                    }
                }
            };
        }
    };
    tokio::select! {
        how = ended => Err(format!("distccd {}", how.unwrap_or_else(|_| "has ended".into()))),
        ended = talk => ended,
    }
}

/// Without this the daemon knows no compiler that has a CHOST in its name, since it goes by the links of its own package.
fn list_compilers() -> Result<(), String> {
    let all = compilers::all();
    if all.is_empty() {
        return Err("this container cannot help, since it has no compiler".into());
    }
    let lines: Vec<_> = all.iter().map(|(_, path)| path.display().to_string()).collect();
    let write = || {
        if let Err(problem) = fs::remove_file(COMPILERS)
            && problem.kind() != io::ErrorKind::NotFound
        {
            return Err(problem);
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o644).open(COMPILERS)?;
        writeln!(file, "{}", lines.join("\n"))
    };
    write().map_err(|problem| format!("{COMPILERS} cannot be written: {problem}"))
}

/// Who is told of it asks it at once.
async fn until_it_listens() {
    let listens = |file: &str| listens(&fs::read_to_string(file).unwrap_or_default(), DISTCCD);
    while !["/proc/net/tcp", "/proc/net/tcp6"].into_iter().any(listens) {
        sleep(SOON).await;
    }
}

/// Whether somebody listens on this port; see proc_net_tcp(5).
fn listens(sockets: &str, port: u16) -> bool {
    let port = format!(":{port:04X}");
    sockets.lines().any(|line| {
        let mut fields = line.split_whitespace().skip(1);
        fields.next().is_some_and(|local| local.ends_with(&port)) && fields.nth(1) == Some("0A")
    })
}

/// Says who is here; what the builder says of that follows.
async fn announce(address: SocketAddr, slots: u32) -> Result<BufReader<TcpStream>, String> {
    let name = gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default();
    let announced = Announced { distcc: VERSION, name, port: DISTCCD, slots };
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        let mut said = serde_json::to_vec(&announced)?;
        said.push(b'\n');
        stream.write_all(&said).await?;
        let mut says = BufReader::new(stream);
        let said = line(&mut says).await?.unwrap_or_default();
        if said.strip_prefix(READY).is_some_and(|version| version == VERSION.to_string()) {
            return Ok(says);
        }
        Err(io::Error::other(match said.strip_prefix(REFUSED) {
            Some(why) => format!("the builder does not take this helper: {why}"),
            None => "its [helpers] engine is not \"distcc\"".to_owned(),
        }))
    };
    probe::in_time(address, exchange).await
}

/// A line of what the builder says, as it can be shown; nothing when that was all.
async fn line(says: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    let length = says.take(SHOWN).read_until(b'\n', &mut line).await?;
    let line = String::from_utf8_lossy(&line);
    Ok((length > 0).then(|| line.chars().filter(|letter| !letter.is_control()).collect()))
}

/// Shows what the builder says, until it says nothing more.
async fn show(mut says: impl AsyncBufRead + Unpin) {
    while let Ok(Ok(Some(line))) = timeout(SILENT, line(&mut says)).await {
        // That it is there is no news.
        if !line.is_empty() {
            println!("gbsup: {line}");
        }
    }
}

/// The daemon, as nobody, which compiles for the builder alone. One more at a time than the builder gives it, for whoever asks whether it answers.
fn start(builder: IpAddr, slots: u32) -> io::Result<Child> {
    let mut command = Command::new("distccd");
    let (port, jobs, builder) =
        (DISTCCD.to_string(), slots.saturating_add(1).to_string(), builder.to_string());
    command.args(["--daemon", "--no-detach", "--log-stderr", "--log-level", "error"]);
    command.args(["--port", &port, "--jobs", &jobs, "--allow", &builder]);
    let environment = [("DISTCC_CMDLIST", COMPILERS), ("TMPDIR", DISTCC_DIRECTORY)];
    command.env_clear().envs(children::environment(Inherits::Nothing, environment));
    command.current_dir("/").stdin(Stdio::null());
    if geteuid().is_root() {
        command.uid(NOBODY.0).gid(NOBODY.1);
    }
    sys::isolate(&mut command, sys::Child::default());
    command.spawn()
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[test]
    fn whether_the_daemon_listens() {
        let sockets = "  sl  local_address rem_address   st tx_queue rx_queue\n   \
            0: 00000000:0E30 00000000:0000 0A 00000000:00000000\n   \
            1: 0100007F:1F90 0100007F:0E31 01 00000000:00000000\n";
        assert!(listens(sockets, 3632));
        assert!(!listens(sockets, 8080) && !listens(sockets, 3633) && !listens("", 3632));
    }

    #[test]
    fn a_builder_that_is_silent_has_gone() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.unwrap().block_on(async {
            let (mut builder, says) = tokio::io::duplex(64);
            let begun = Instant::now();
            let speaks = async {
                builder.write_all(b"helps\n").await.unwrap();
                for _ in 0..10 {
                    sleep(BEAT).await;
                    builder.write_all(b"\n").await.unwrap();
                }
                // It loses its power: nothing is closed.
                std::future::pending::<()>().await;
            };
            tokio::select! {
                () = show(BufReader::new(says)) => {}
                () = speaks => {}
            }
            assert_eq!(begun.elapsed(), 10 * BEAT + SILENT);
        });
    }

    #[test]
    fn who_is_not_taken_is_told_why() {
        let answered = |answer: &'static str| {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let served = std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let mut said = String::new();
                io::BufRead::read_line(&mut io::BufReader::new(&mut stream), &mut said).unwrap();
                stream.write_all(answer.as_bytes()).unwrap();
            });
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let announced = runtime.block_on(announce(address, 2));
            served.join().unwrap();
            announced.map(drop)
        };
        assert_eq!(answered("gbsup distcc 1\n"), Ok(()));
        for (answer, words) in [
            ("gbsup refuses it is left out\n", "the builder does not take this helper: it is left out"),
            ("gbsup distcc 11\n", "its [helpers] engine is not \"distcc\""),
            ("", "its [helpers] engine is not \"distcc\""),
        ] {
            let why = answered(answer).unwrap_err();
            assert!(why.ends_with(words), "{why}");
        }
    }
}
