//! Logs: only where they may be read, only logs, and any part of one however long it is.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use serde_json::Value;

use crate::builder::{around, building, paused, told};
use crate::server::{PATIENCE, Server, request};

/// The log of a package that is being built, by [`building`].
pub(crate) const FIREFOX: &str = "build/www-client/firefox-145.0.1:20261128-020714.log";

/// What is written there.
fn log(server: &Server) -> PathBuf {
    server.releases().with_file_name("log").join(FIREFOX)
}

/// Adds lines to a log, as a build does.
pub(crate) fn write(server: &Server, text: &str) {
    let path = log(server);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut file = OpenOptions::new().append(true).create(true).open(&path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
    // As Portage leaves them: its group alone may read them.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o660)).unwrap();
    if nix::unistd::geteuid().is_root() {
        std::os::unix::fs::chown(&path, Some(250), Some(250)).unwrap();
    }
}

/// A build that prints much and then fails.
pub(crate) fn failing() -> String {
    let mut text =
        " * Package:    www-client/firefox-145.0.1\n>>> Compiling source in /work/firefox ...\n".to_owned();
    for n in 0..6000 {
        text += &format!("\u{1b}[32m[{n}/6000]\u{1b}[0m cc -O2 -pipe -c a{n}.c -o a{n}.o\n");
    }
    text += "a6000.c:12:5: \u{1b}[1;31merror:\u{1b}[0m expected ';' <before> '}'\n";
    for n in 0..600 {
        text += &format!("ld: warning: {n} left\n");
    }
    text + "make: *** [Makefile:2: a6000.o] Error 1\n * ERROR: www-client/firefox-145.0.1::gentoo failed (compile phase):\n *   emake failed\n * \n * S: '/work'\n"
}

pub(crate) fn serving() -> Server {
    let mut server = Server::of_builder(&[("GBSUP_HTTP_LOGS", "true")]);
    let status = building(11);
    server.tell(&told(&status));
    server.until(&status.headline[..30]);
    server
}

fn url(query: &str) -> String {
    format!("/logs/{FIREFOX}{query}")
}

#[test]
fn logs_are_for_those_who_let_them_be_read() {
    let mut server = Server::of_builder(&[]);
    let status = building(11);
    server.tell(&told(&status));
    server.until(&status.headline[..30]);
    write(&server, "SECRET\n");
    for path in [url(""), url("?raw"), "/logs/".into(), "/logs/newest/www-client/firefox-145.0.1".into()] {
        let answer = server.get(&path);
        assert_eq!(answer.status, 404, "{path}");
        assert!(
            answer.text().contains("http.logs") && !answer.text().contains("SECRET"),
            "{}",
            answer.text()
        );
    }
    assert!(!server.get("/").text().contains("/logs/"));
    assert!(server.get("/").text().contains("log <code>/var/lib/gbsup/log/build/media-libs/libfoo-2.1"));
}

#[test]
fn what_was_built_leads_to_its_newest_log() {
    const NEWEST: &str = "/logs/newest/www-client/firefox-145.0.1";
    let mut server = serving();
    write(&server, &failing());
    for message in around("waiting") {
        server.tell(&message);
    }
    let begun = Instant::now();
    let list = loop {
        let list = server.get("/logs/").text();
        if list.contains(NEWEST) {
            break list;
        }
        assert!(begun.elapsed() < PATIENCE, "{list}");
    };
    // The newest log is that of the newest merge, and of no other.
    assert_eq!(list.matches(NEWEST).count(), 1, "{list}");
    assert!(server.get("/").text().contains(NEWEST) && server.get("/cycles/118").text().contains(NEWEST));
    assert!(!server.get("/cycles/117").text().contains("/logs/newest/"));
    let found = server.get(NEWEST);
    assert_eq!(found.status, 302);
    assert!(server.get(found.header("location").unwrap()).text().contains("emake failed"));
}

#[test]
fn a_log_is_read_in_pieces_and_as_it_is() {
    let server = serving();
    let text = failing();
    write(&server, &text);
    let end = server.get(&url(""));
    assert_eq!((end.status, end.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let page = end.text();
    assert!(page.contains("emake failed") && !page.contains("[0/6000]"), "{page}");
    assert!(page.contains("href=\"?error#error\"") && page.len() < 300_000, "{}", page.len());
    let beginning = server.get(&url("?at=0")).text();
    assert!(
        beginning.contains("<span class=\"f2\">[0/6000]</span> cc -O2") && beginning.contains("id=\"later\""),
        "{beginning}"
    );
    let error = server.get(&url("?error")).text();
    let marked = error.split("<span id=\"error\"></span>").nth(1).unwrap();
    assert!(marked.contains("expected ';' &lt;before&gt; '}'"), "{marked}");
    // Any line has an address that stays: the byte where it begins.
    let at = text.find("cc -O2 -pipe -c a3000.c").unwrap();
    let line = text[..at].rfind('\n').unwrap() + 1;
    let there = server.get(&url(&format!("?at={at}"))).text();
    assert!(
        there.contains(&format!("data-from=\"{line}\"")) && there.contains(&format!("id=\"o{line}\"")),
        "{there}"
    );
    // Parts of it, for scripts, join without a gap.
    let part = |query: &str| -> Value { serde_json::from_slice(&server.get(&url(query)).body).unwrap() };
    let first = part("?part&from=0");
    let second = part(&format!("?part&from={}", first["next"]));
    assert_eq!((&first["from"], &second["from"]), (&0.into(), &first["next"]));
    let back = part(&format!("?part&to={}", second["from"]));
    assert_eq!(back["next"], second["from"]);
    // The bytes themselves, all of them and some.
    for (query, headers) in [("?raw", &[][..]), ("", &[("Accept", "text/plain")])] {
        let raw = server.ask("GET", &url(query), headers);
        assert_eq!((raw.status, raw.header("content-type")), (200, Some("text/plain; charset=utf-8")));
        assert_eq!((raw.text() == text, raw.header("x-content-type-options")), (true, Some("nosniff")));
    }
    let some = server.ask("GET", &url("?raw"), &[("Range", "bytes=-10")]);
    assert_eq!((some.status, some.text().as_str()), (206, &text[text.len() - 10..]));
    // What makes no sense is the end.
    for query in
        ["?at=99999999999999999999", "?at=-1", "?at=x", "?to=", "?nonsense", "?at=18446744073709551615"]
    {
        assert_eq!(server.get(&url(query)).status, 200, "{query}");
    }
    let newest = server.get("/logs/newest/www-client/firefox-145.0.1");
    assert_eq!(
        (newest.status, newest.header("location")),
        (302, Some("/logs/build/www-client/firefox-145.0.1%3A20261128-020714.log"))
    );
    assert_eq!(server.get("/logs/newest/www-client/firefox-1").status, 404);
    // Where it is told of, there is a link: to what fails, by its words.
    let now = server.get("/").text();
    assert!(
        now.contains("href=\"/logs/build/media-libs/libfoo-2.1%3A20261128-020714.log?error#error\""),
        "{now}"
    );
    assert!(now.contains("href=\"/logs/newest/www-client/firefox-145.0.1\""));
    let steps = server.releases().with_file_name("steps/118");
    fs::create_dir_all(&steps).unwrap();
    fs::write(steps.join("build.log"), "of the step\n").unwrap();
    let step = server.get("/logs/steps/118/build.log").text();
    assert!(step.contains("of the step") && step.contains("href=\"/cycles/118\""), "{step}");
}

#[test]
fn nothing_but_logs_is_read() {
    let server = serving();
    write(&server, "fine\n");
    let logs = server.releases().with_file_name("log");
    let volume = logs.parent().unwrap().to_owned();
    fs::write(volume.join("state/secret.log"), "SECRET").unwrap();
    fs::set_permissions(volume.join("state/secret.log"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(logs.join("notes.txt"), "SECRET").unwrap();
    symlink("../state/secret.log", logs.join("link.log")).unwrap();
    symlink("../state", logs.join("out")).unwrap();
    symlink("/", logs.join("root")).unwrap();
    fs::hard_link(volume.join("state/secret.log"), logs.join("hard.log")).unwrap();
    mkfifo(&logs.join("pipe.log"), Mode::S_IRWXU | Mode::S_IRWXO).unwrap();
    fs::create_dir(logs.join("directory.log")).unwrap();
    fs::write(logs.join("<script>alert(1)<script>.log"), "<script>alert(1)</script>\n").unwrap();
    let long = "a/".repeat(4000);
    let begun = Instant::now();
    for (path, expected) in [
        ("notes.txt", 404),
        ("link.log", 404),
        ("hard.log", 403),
        ("out/secret.log", 404),
        ("root/etc/passwd", 404),
        ("pipe.log", 404),
        ("pipe.log?follow=0", 404),
        ("directory.log", 404),
        ("directory.log/", 404),
        ("build/", 404),
        ("build", 404),
        ("../state/secret.log", 400),
        ("%2e%2e/state/secret.log", 400),
        ("..%2fstate%2fsecret.log", 400),
        ("steps/../state/secret.log", 400),
        ("steps/..%2f../state/secret.log", 400),
        ("x%00.log", 400),
        ("//etc/passwd.log", 404),
        ("newest/../state/secret.log", 400),
        ("newest/a/b-1/../../..", 400),
        ("newest/x", 404),
        (".hidden.log", 404),
        (&long, 414),
    ] {
        let answer = server.raw(format!("GET /logs/{path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).unwrap();
        assert_eq!(answer.status, expected, "{path}: {}", answer.text());
        assert!(!answer.text().contains("SECRET"), "{path}");
    }
    assert!(begun.elapsed() < Duration::from_secs(20), "something was waited for");
    let hostile = server.get("/logs/%3Cscript%3Ealert(1)%3Cscript%3E.log").text();
    assert!(!hostile.contains("<script>alert") && hostile.contains("&lt;script&gt;alert"), "{hostile}");
}

#[test]
fn gigabytes_are_not_loaded() {
    let server = serving();
    write(&server, "the beginning\n");
    let size = 6_u64 << 30;
    let file = OpenOptions::new().write(true).open(log(&server)).unwrap();
    file.set_len(size).unwrap();
    write(&server, "\nthe end\n");
    assert!(server.get(&url("")).text().contains("the end"));
    assert!(server.get(&url("?at=0")).text().contains("the beginning"));
    for query in [
        format!("?at={}", size / 2),
        format!("?to={}", size / 2),
        "?error".into(),
        format!("?part&from={}", size / 2),
    ] {
        let answer = server.get(&url(&query));
        assert!(answer.status == 200 && answer.body.len() < 1 << 20, "{query}: {} bytes", answer.body.len());
    }
    let some = server.ask("GET", &url("?raw"), &[("Range", &format!("bytes={}-", size + 1))]);
    assert_eq!((some.status, some.text().as_str()), (206, "the end\n"));
    let counted = |file: &str, key: &str| -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/{file}", server.pid())).unwrap();
        let value = text.lines().find_map(|line| line.strip_prefix(key)).unwrap();
        value.trim().trim_end_matches(" kB").parse().unwrap()
    };
    let (peak, read) = (counted("status", "VmHWM:"), counted("io", "rchar:"));
    assert!(peak < 100 << 10, "{peak} kB at its peak");
    assert!(read < 100 << 20, "{read} bytes read");
}

#[test]
fn what_is_written_comes_until_it_is_whole() {
    let mut server = serving();
    write(&server, "one\nhalf a li");
    let mut stream = server.connect();
    stream.write_all(request("GET", &url("?follow=0"), &[]).as_bytes()).unwrap();
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    assert_eq!(lines.next().unwrap(), "HTTP/1.1 200 OK");
    let mut event = |kind: &str| -> Value {
        let wanted = format!("event: {kind}");
        assert!(lines.any(|line| line == wanted), "no {kind}");
        let data = lines.find(|line| line.starts_with("data: ")).unwrap();
        serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap()
    };
    let first = event("lines");
    assert_eq!((&first["from"], &first["next"]), (&0.into(), &4.into()));
    // A line comes when it is whole, and the last one when there will be no more of it.
    write(&server, "ne\nthe last");
    let second = event("lines");
    assert!(second["from"] == 4 && second["html"].as_str().unwrap().contains("half a line"), "{second}");
    server.tell(&told(&paused()));
    let third = event("lines");
    assert!(third["html"].as_str().unwrap().contains("the last"), "{third}");
    event("over");
}

#[test]
fn a_follower_is_an_open_page() {
    let mut server = Server::of_builder(&[("GBSUP_HTTP_LOGS", "true"), ("GBSUP_HTTP_MAX_PAGES", "1")]);
    let status = building(11);
    server.tell(&told(&status));
    server.until(&status.headline[..30]);
    write(&server, "one\n");
    let open = || {
        let mut stream = server.connect();
        stream.write_all(request("GET", &url("?follow=0"), &[]).as_bytes()).unwrap();
        let mut line = String::new();
        let mut reader = BufReader::new(stream);
        reader.read_line(&mut line).unwrap();
        (line, reader)
    };
    let (first, _kept) = open();
    let (second, _) = open();
    assert!(first.contains(" 200 ") && second.contains(" 503 "), "{first}{second}");
    assert_eq!(server.get(&url("")).status, 200);
}
