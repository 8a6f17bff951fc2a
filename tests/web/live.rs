//! What is told to the server arrives where somebody looks, and costs those who download nothing.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use gbsup::model::status::Mode;
use serde_json::Value;

use crate::builder::{building, status, told};
use crate::server::{PATIENCE, Server, request};

/// A stream of events, past its head.
struct Events {
    lines: BufReader<TcpStream>,
}

impl Events {
    /// The status of the answer, and the events if there are some.
    fn open(server: &Server, path: &str) -> (u16, Self) {
        let mut stream = server.connect();
        stream.write_all(request("GET", path, &[]).as_bytes()).unwrap();
        let mut events = Self { lines: BufReader::new(stream) };
        let status = events.line().split(' ').nth(1).unwrap().parse().unwrap();
        while !events.line().is_empty() {}
        (status, events)
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.lines.read_line(&mut line).unwrap() > 0, "the stream has ended");
        line.trim_end().to_owned()
    }

    /// The data of the next event of this type.
    fn next(&mut self, kind: &str) -> Value {
        while self.line() != format!("event: {kind}") {}
        serde_json::from_str(self.line().strip_prefix("data: ").unwrap()).unwrap()
    }
}

#[test]
fn the_status_is_what_was_told() {
    let mut server = Server::of_builder(&[]);
    let none = server.get("/api/v1/status");
    assert_eq!((none.status, none.text().as_str()), (404, "The builder has not told yet how it is.\n"));
    let known = building(11);
    server.tell(&told(&known));
    server.until(&known.headline);
    let answer = server.get("/api/v1/status");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let shown: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!((&shown["progress"]["done"], &shown["jobs"][0]["phase"]), (&11.into(), &"compile".into()));
    // The same status has another time in it at each moment.
    let head = server.ask("HEAD", "/api/v1/status", &[]);
    assert_eq!((head.status, head.body.len()), (200, 0));
    // Without its builder it does not go on.
    assert_eq!(server.let_go(), Some(1));
}

#[test]
fn a_server_alone_knows_of_no_builder() {
    let server = Server::start();
    for path in ["/api/v1/status", "/api/v1/events"] {
        let answer = server.get(path);
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.text().contains("No builder tells this server how it is"), "{}", answer.text());
    }
}

#[test]
fn changes_arrive_as_they_happen() {
    let mut server = Server::of_builder(&[]);
    server.tell(&told(&building(11)));
    let (code, mut events) = Events::open(&server, "/api/v1/events");
    assert_eq!(code, 200);
    assert_eq!(events.next("status")["progress"]["done"], 11);
    for done in 12..20 {
        server.tell(&told(&building(done)));
        assert_eq!(events.next("status")["progress"]["done"], done);
    }
    let head = server.ask("HEAD", "/api/v1/events", &[]);
    assert_eq!((head.status, head.header("content-type")), (200, Some("text/event-stream")));
}

#[test]
fn open_pages_take_no_place_from_downloads() {
    let variables = [("GBSUP_HTTP_MAX_CONNECTIONS", "2"), ("GBSUP_HTTP_MAX_PAGES", "20")];
    let mut server = Server::of_builder(&variables);
    server.tell(&told(&status(Mode::Waiting, "waiting: x")));
    server.until("waiting: x");
    // They read what they are sent at first, and nothing after that.
    let pages: Vec<_> = (0..20)
        .map(|_| {
            let (code, mut events) = Events::open(&server, "/api/v1/events");
            assert_eq!(code, 200);
            events.next("status");
            events
        })
        .collect();
    let (code, _) = Events::open(&server, "/api/v1/events");
    assert_eq!(code, 503);
    // Both places are free: each answer takes one and is done at once.
    let begun = Instant::now();
    let package = "/binpkgs/app-misc/hello/hello-2-1.gpkg.tar";
    for _ in 0..50 {
        assert_eq!(server.get(package).body.len(), 3 << 20);
    }
    assert!(begun.elapsed() < PATIENCE);
    // Far more than their sockets hold, and none of it waits for them.
    let long = "x".repeat(1 << 16);
    for n in 0..200 {
        server.tell(&told(&status(Mode::Waiting, &format!("waiting: {n} {long}"))));
    }
    server.tell(&told(&status(Mode::Waiting, "waiting: the last")));
    server.until("waiting: the last");
    assert_eq!(server.get(package).body.len(), 3 << 20);
    // Whoever leaves makes room.
    drop(pages);
    let begun = Instant::now();
    while Events::open(&server, "/api/v1/events").0 != 200 {
        assert!(begun.elapsed() < PATIENCE);
    }
}

#[test]
fn a_reader_that_takes_nothing_is_let_go() {
    let volume_of_nothing = [("GBSUP_HTTP_MAX_PAGES", "1")];
    let mut server = Server::of_builder(&volume_of_nothing);
    server.tell(&told(&building(1)));
    let (_, mut stuck) = Events::open(&server, "/api/v1/events");
    stuck.next("status");
    let long = "y".repeat(1 << 20);
    // One at a time fills its socket; then it is written to in vain until the stall timeout.
    for n in 0..30 {
        let headline = format!("waiting: {n} {long}");
        server.tell(&told(&status(Mode::Waiting, &headline)));
        server.until(&headline[..20]);
    }
    stuck.lines.get_ref().set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    let mut came = Vec::new();
    let _end = stuck.lines.by_ref().take(200 << 20).read_to_end(&mut came);
    assert!(came.len() < 30 << 20, "{} bytes were kept for it", came.len());
}

#[test]
fn an_open_page_is_sent_what_changed_and_counts_by_itself() {
    // When all is done moves on with each minute.
    let without_eta = |done| {
        let mut status = building(done);
        status.progress.eta = None;
        status
    };
    let mut server = Server::of_builder(&[]);
    let begun = without_eta(11);
    server.tell(&told(&begun));
    server.until(&begun.headline);
    let (code, mut events) = Events::open(&server, "/api/v1/events?page");
    assert_eq!(code, 200);
    let all = events.next("page");
    let jobs = all["parts"]["jobs"].as_str().unwrap();
    assert!(jobs.contains(r#"<span data-age="2460">41 min</span>"#), "{jobs}");
    let head = all["parts"]["head"].as_str().unwrap();
    assert!(head.contains(r#"(compile, <span data-age="2460">41 min</span> of about 1 h 10 min)"#), "{head}");
    // A minute later nothing has happened, and after that a package is done.
    let mut later = without_eta(11);
    later.jobs.iter_mut().for_each(|job| job.elapsed += 60);
    later.headline = later.headline.replace("41 min", "42 min");
    server.tell(&told(&later));
    server.until(&later.headline);
    server.tell(&told(&without_eta(12)));
    let change = events.next("page");
    let parts: Vec<_> = change["parts"].as_object().unwrap().keys().collect();
    assert_eq!(parts, ["head", "progress"], "{change}");
    assert!(change["title"].as_str().unwrap().starts_with("running: 12 of 57"), "{change}");
}
