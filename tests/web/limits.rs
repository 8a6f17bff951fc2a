//! Whoever wastes connections loses them, and nobody else waits for him long.

use std::io::{BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};

use crate::server::{PATIENCE, Server, bytes, read, request};

const PACKAGE: &str = "/binpkgs/app-misc/hello/hello-2-1.gpkg.tar";

/// Reads until the connection ends; what came, and how long that took.
fn to_the_end(mut stream: impl Read) -> (usize, Duration) {
    let begun = Instant::now();
    let mut got = Vec::new();
    match stream.read_to_end(&mut got) {
        Ok(_) => {}
        // What it never read of a request makes the end a harsh one.
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
    (got.len(), begun.elapsed())
}

#[test]
fn slow_requests_and_idle_connections_end() {
    let server = Server::with(&["--request-timeout", "0.5"], &[]);
    let mut half = server.connect();
    half.write_all(b"GET /binpkgs/Packages HTTP/1.1\r\nHost:").unwrap();
    let silent = server.connect();
    let mut idle = server.connect();
    idle.write_all(request("GET", "/healthz", &[]).as_bytes()).unwrap();
    let mut idle = BufReader::new(idle);
    assert_eq!(read(&mut idle, false).unwrap().status, 200);
    // A drop now and then does not help.
    let mut dripping = server.connect();
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE && dripping.write_all(b"G").is_ok() {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(begun.elapsed() < PATIENCE);
    to_the_end(half);
    to_the_end(silent);
    to_the_end(idle);
    assert_eq!(server.get("/healthz").status, 200);
}

#[test]
fn who_takes_nothing_is_let_go() {
    let server = Server::with(&["--stall-timeout", "2"], &[]);
    // More than sockets hold.
    let big = bytes(64 << 20);
    std::fs::write(server.releases().join("current/big.gpkg.tar"), &big).unwrap();
    let mut stalled = server.connect();
    stalled.write_all(request("GET", "/binpkgs/big.gpkg.tar", &[]).as_bytes()).unwrap();
    // Somebody who takes it slowly, for longer than that and never as long as that without anything, is not.
    let mut slow = server.connect();
    slow.write_all(request("GET", PACKAGE, &[]).as_bytes()).unwrap();
    let mut got = Vec::new();
    let mut room = vec![0; 128 << 10];
    loop {
        std::thread::sleep(Duration::from_millis(200));
        let count = slow.read(&mut room).unwrap();
        got.extend_from_slice(&room[..count]);
        if got.len() > 3 << 20 {
            break;
        }
    }
    assert!(got.ends_with(&bytes(3 << 20)));
    let (length, _) = to_the_end(stalled);
    assert!(length < big.len(), "{length}");
}

#[test]
fn a_file_that_became_shorter_is_not_taken_for_whole() {
    let server = Server::start();
    let path = server.releases().join("current/big.gpkg.tar");
    std::fs::write(&path, bytes(64 << 20)).unwrap();
    let mut stream = server.connect();
    stream.write_all(request("GET", "/binpkgs/big.gpkg.tar", &[]).as_bytes()).unwrap();
    let mut first = [0; 1000];
    stream.read_exact(&mut first).unwrap();
    std::fs::File::options().write(true).open(&path).unwrap().set_len(32 << 20).unwrap();
    let (length, _) = to_the_end(stream);
    assert!(length <= 32 << 20, "{length}");
}

#[test]
fn further_connections_wait_their_turn() {
    let server = Server::with(&["--request-timeout", "1"], &[("GBSUP_HTTP_MAX_CONNECTIONS", "2")]);
    let begun = Instant::now();
    let held = [server.connect(), server.connect()];
    // The third is answered when the first two were let go.
    assert_eq!(server.get("/healthz").status, 200);
    assert!(begun.elapsed() > Duration::from_millis(500), "{:?}", begun.elapsed());
    drop(held);
    // Two hundred at once are all answered.
    std::thread::scope(|scope| {
        let asked: Vec<_> = (0..200).map(|_| scope.spawn(|| server.get(PACKAGE).body.len())).collect();
        assert!(asked.into_iter().all(|asked| asked.join().unwrap() == 3 << 20));
    });
    let open = std::fs::read_dir(format!("/proc/{}/fd", server.pid()));
    // Only root may count them: the process cannot be looked into by others.
    if let Ok(open) = open {
        assert!(open.count() < 40);
    }
}

/// A connection from another address of this machine, which asks for a large file and has begun to take it.
fn slow_reader(server: &Server, from: Ipv4Addr) -> TcpStream {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    let stream = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from((from, 0))).unwrap();
        socket.connect(server.address.parse().unwrap()).await.unwrap()
    });
    let mut stream = stream.into_std().unwrap();
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request("GET", "/binpkgs/big.gpkg.tar", &[]).as_bytes()).unwrap();
    stream.read_exact(&mut [0; 4096]).unwrap();
    stream
}

#[test]
fn slow_readers_shut_nobody_out() {
    let server = Server::with(&["--stall-timeout", "600"], &[("GBSUP_HTTP_MAX_CONNECTIONS", "64")]);
    std::fs::write(server.releases().join("current/big.gpkg.tar"), bytes(64 << 20)).unwrap();
    let (crowd, alone) = (Ipv4Addr::new(127, 0, 0, 2), Ipv4Addr::new(127, 0, 0, 3));
    let alone = slow_reader(&server, alone);
    let crowd: Vec<_> = (1..64).map(|_| slow_reader(&server, crowd)).collect();
    // Each would have to wait for ten minutes, were all places kept.
    for _ in 0..16 {
        assert_eq!(server.get("/healthz").status, 200);
    }
    let rest = std::io::copy(&mut alone.take(64 << 20), &mut std::io::sink());
    assert!(rest.is_ok_and(|count| count >= (64 << 20) - 4096), "it was the only one of its address");
    drop(crowd);
}

#[test]
fn many_at_once_are_heard_at_once() {
    let server = Server::with(&[], &[("GBSUP_HTTP_MAX_CONNECTIONS", "4")]);
    let pid = nix::unistd::Pid::from_raw(i32::try_from(server.pid()).unwrap());
    // As long as a build leaves it no time, who comes stands before its door.
    kill(pid, Signal::SIGSTOP).unwrap();
    let came: Vec<_> = (0..300)
        .map(|_| {
            let mut stream = server.connect();
            stream.write_all(request("GET", "/", &[("Accept", "text/html")]).as_bytes()).unwrap();
            stream
        })
        .collect();
    kill(pid, Signal::SIGCONT).unwrap();
    for stream in came {
        assert_eq!(read(&mut BufReader::new(stream), false).unwrap().status, 200);
    }
}
