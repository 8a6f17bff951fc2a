//! What is answered, and that it is what lies there.

use std::fs::{self, File};
use std::io::{BufReader, Read, Write};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::server::{NEW, OLD, Server, bytes, command, read, request};

const PACKAGE: &str = "/binpkgs/app-misc/hello/hello-2-1.gpkg.tar";

#[test]
fn files_arrive_whole_and_in_parts() {
    let server = Server::start();
    let whole = bytes(3 << 20);
    let answer = server.get(PACKAGE);
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/x-tar")));
    assert_eq!(answer.header("accept-ranges"), Some("bytes"));
    assert!(answer.body == whole);
    let tag = answer.header("etag").unwrap();
    let size = whole.len();
    for (range, from, to) in
        [("bytes=0-9", 0, 10), ("bytes=1000001-", 1_000_001, size), ("bytes=-7", size - 7, size)]
    {
        for extra in [&[][..], &[("If-Range", tag)]] {
            let answer = server.ask("GET", PACKAGE, &[&[("Range", range)], extra].concat());
            assert_eq!(answer.status, 206, "{range}");
            let expected = format!("bytes {from}-{}/{size}", to - 1);
            assert_eq!(answer.header("content-range"), Some(expected.as_str()));
            assert!(answer.body == whole[from..to], "{range}");
        }
    }
    let other = server.ask("GET", PACKAGE, &[("Range", "bytes=5-9"), ("If-Range", "\"other\"")]);
    assert!(other.status == 200 && other.body == whole);
    let beyond = server.ask("GET", PACKAGE, &[("Range", &format!("bytes={size}-"))]);
    assert_eq!(
        (beyond.status, beyond.header("content-range")),
        (416, Some(format!("bytes */{size}").as_str()))
    );
    let head = server.ask("HEAD", PACKAGE, &[]);
    assert_eq!((head.status, head.header("content-length")), (200, Some(size.to_string().as_str())));
    assert_eq!(server.ask("GET", PACKAGE, &[("If-None-Match", tag)]).status, 304);
}

#[test]
fn requests_on_one_connection_are_answered_in_order() {
    let server = Server::start();
    let mut stream = server.connect();
    let asked = [
        ("GET", PACKAGE, &[("Range", "bytes=100-2000099")][..]),
        ("HEAD", PACKAGE, &[]),
        ("GET", "/binpkgs/Packages", &[]),
        ("GET", "/binpkgs/nothing", &[]),
        ("GET", PACKAGE, &[("Range", "bytes=7-7")]),
        ("GET", "/healthz", &[]),
        ("GET", PACKAGE, &[]),
    ];
    let all: String = asked.iter().map(|(method, path, headers)| request(method, path, headers)).collect();
    stream.write_all(all.as_bytes()).unwrap();
    let mut stream = BufReader::new(stream);
    let answers: Vec<_> =
        asked.iter().map(|(method, ..)| read(&mut stream, *method == "HEAD").unwrap()).collect();
    let statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [206, 200, 200, 404, 206, 200, 200]);
    let whole = bytes(3 << 20);
    assert!(answers[0].body == whole[100..2_000_100]);
    assert_eq!(answers[2].text(), "PACKAGES: 1\n\nCPV: app-misc/hello-2\n");
    assert_eq!(answers[4].body, [whole[7]]);
    assert!(answers[6].body == whole);
}

#[test]
fn the_index_is_new_when_the_release_is() {
    let server = Server::start();
    let releases = server.releases();
    let date = |path: &Path, seconds| {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
    };
    for (id, seconds) in [(OLD, 1_700_000_000), (NEW, 1_700_000_100)] {
        date(&releases.join(id).join("Packages"), seconds);
        date(&releases.join(id).join("Packages.gz"), seconds);
    }
    let switch = |id: &str| {
        symlink(id, releases.join(".link")).unwrap();
        fs::rename(releases.join(".link"), releases.join("current")).unwrap();
    };
    switch(OLD);
    let old = server.get("/binpkgs/Packages");
    assert!(old.text().contains("hello-1"));
    let seen = old.header("last-modified").unwrap();
    assert_eq!(seen, "Tue, 14 Nov 2023 22:13:20 GMT");
    let again = |since: &str| server.ask("GET", "/binpkgs/Packages", &[("If-Modified-Since", since)]);
    assert_eq!(again(seen).status, 304);
    switch(NEW);
    let new = again(seen);
    assert!(new.status == 200 && new.text().contains("hello-2"));
    assert_ne!(new.header("etag"), old.header("etag"));
    // As Portage asks: for the compressed file, which stays compressed.
    let packed = server.get("/binpkgs/Packages.gz");
    assert_eq!(
        (packed.text().as_str(), packed.header("content-encoding")),
        ("compressed 2026-11-22.1", None)
    );
    // As a browser asks: for the index, in whatever form.
    for (accepted, encoding) in [
        ("gzip, br", Some("gzip")),
        ("*", Some("gzip")),
        ("gzip;q=0", None),
        ("br", None),
        ("identity", None),
    ] {
        let answer = server.ask("GET", "/binpkgs/Packages", &[("Accept-Encoding", accepted)]);
        assert_eq!(
            (answer.header("content-encoding"), answer.header("vary")),
            (encoding, Some("Accept-Encoding"))
        );
        assert_eq!(answer.text().starts_with("compressed"), encoding.is_some(), "{accepted}");
    }
}

#[test]
fn a_client_keeps_what_its_index_named() {
    let server = Server::start();
    let whole = bytes(3 << 20);
    // It has left the release that is offered.
    assert!(server.get("/binpkgs/app-misc/hello/hello-1-1.gpkg.tar").body == whole);
    assert_eq!(server.get(&format!("/releases/{NEW}/app-misc/hello/hello-1-1.gpkg.tar")).status, 404);
    fs::write(server.releases().join(OLD).join("other"), "x").unwrap();
    assert_eq!(server.get("/binpkgs/other").status, 404);
    // A download goes on when its release is removed.
    let mut stream = server.connect();
    stream.write_all(request("GET", PACKAGE, &[]).as_bytes()).unwrap();
    let mut first = [0; 1000];
    stream.read_exact(&mut first).unwrap();
    fs::remove_dir_all(server.releases().join(NEW)).unwrap();
    let answer = read(&mut BufReader::new(first.chain(stream)), false).unwrap();
    assert!(answer.body == whole);
    assert_eq!(server.get("/binpkgs/Packages").status, 404);
}

#[test]
fn a_repository_switches_with_the_release() {
    let server = Server::start();
    server.with_tree();
    server.assert_tree_is_served();
    let keep =
        |path: &str| server.get(&format!("/tree/own.git/{path}")).header("cache-control").unwrap().to_owned();
    assert_eq!([keep("info/refs"), keep("objects/info/packs")], ["no-cache", "no-cache"]);
    assert!(keep("objects/pack/pack-1.pack").contains("immutable"));
    assert_eq!(server.get("/laptop/tree/own.git/info/refs").text(), format!("commit of {NEW}"));
    // The next release has none of it.
    fs::remove_dir_all(server.releases().join(NEW).join("tree")).unwrap();
    assert_eq!(server.get("/tree/own.git/info/refs").status, 404);
}

#[test]
fn people_find_their_way() {
    let server = Server::start();
    for (path, to) in [
        ("/binpkgs", "/binpkgs/"),
        ("/releases", "/releases/"),
        ("/cycles", "/cycles/"),
        ("/binpkgs/app-misc", "/binpkgs/app-misc/"),
    ] {
        let answer = server.get(path);
        assert_eq!((answer.status, answer.header("location")), (301, Some(to)), "{path}");
    }
    let listing = server.get("/binpkgs/app-misc/hello/").text();
    assert!(
        listing.contains("<a href=\"./hello-2-1.gpkg.tar\">") && listing.contains("3.0 MiB"),
        "{listing}"
    );
    assert!(listing.contains("href=\"/style.css\"") && server.get("/style.css").status == 200);
    let releases = server.get("/releases/").text();
    let current = format!("<a href=\"./{NEW}/\">{NEW}</a> <span class=\"offered\">on offer</span>");
    assert!(releases.contains(&current) && releases.contains(&format!("\"./{OLD}/\"")), "{releases}");
    let front = server.get("/").text();
    assert!(front.contains("This server hands out packages.") && front.contains("\"/binpkgs/\""), "{front}");
    let unsigned = server.get("/binpkgs/gbsup.asc");
    assert_eq!((unsigned.status, unsigned.text().as_str()), (404, "The packages are not signed.\n"));
    fs::write(server.releases().join("gbsup.asc"), "a key").unwrap();
    assert_eq!(server.get("/binpkgs/gbsup.asc").text(), "a key");
    fs::remove_file(server.releases().join("current")).unwrap();
    assert_eq!(server.get("/binpkgs/").text(), "Nothing is published yet.\n");
}

#[test]
fn a_client_gets_a_script_with_the_address_it_asked_by() {
    let server = Server::start();
    let ask = |host: &str| {
        let request = format!("GET /client.sh HTTP/1.1\r\nHost: {host}\r\n\r\n");
        server.raw(request.as_bytes()).expect("an answer")
    };
    let unreadable = ask("builder.example:8080");
    assert_eq!(unreadable.status, 500, "whether packages are signed is not guessed");
    fs::write(server.releases().join(NEW).join("release.json"), "{\"schema\": 1}").unwrap();
    let script = ask("builder.example:8080");
    assert_eq!(script.status, 200);
    assert_eq!([script.header("cache-control"), script.header("vary")], [Some("no-store"), Some("Host")]);
    let text = script.text();
    assert!(text.starts_with("#!/bin/sh\n") && text.ends_with("\nEND OF PYTHON\n"), "{text}");
    assert!(text.contains("\nURL = \"http://builder.example:8080/binpkgs\"\n"), "{text}");
    assert!(text.contains("\nKEY = None\n"), "{text}");
    let named = server.ask("GET", "/laptop/client.sh", &[]).text();
    assert!(named.contains("\nURL = \"http://x/laptop/binpkgs\"\n"), "{named}");
    assert_eq!(
        server.get("/laptop/binpkgs/Packages").body,
        server.get("/binpkgs/Packages").body,
        "by a name of its own it has the same"
    );
    for path in ["/a'b/client.sh", "/a%20b/client.sh", "/.a/client.sh", "/a/b/client.sh", "/a/binpkgsx"] {
        assert_eq!(server.get(path).status, 404, "{path}");
    }
    for host in ["a'$(id)", "a\"b", "a/../b", "user@host", ""] {
        let refused = ask(host);
        assert_eq!(refused.status, 400, "{host}");
        assert!(!refused.text().contains("URL = "), "{host}");
    }
    fs::remove_file(server.releases().join("current")).unwrap();
    assert!(ask("b").text().contains("\nKEY = \"\"\n"), "before the first release nobody knows");

    let behind = Server::with(&[], &[("GBSUP_HTTP_URL", "https://gentoo.example")]);
    fs::remove_file(behind.releases().join("current")).unwrap();
    let script = behind.ask("GET", "/client.sh", &[]).text();
    assert!(script.contains("\nURL = \"https://gentoo.example/binpkgs\"\n"), "{script}");
}

#[test]
fn what_keeps_it_from_serving_is_said() {
    let server = Server::start();
    let run = |args: &[&str]| {
        let ran = command(server.releases().parent().unwrap()).args(args).output().unwrap();
        (ran.status.code(), String::from_utf8_lossy(&ran.stderr).into_owned())
    };
    let (code, words) = run(&["--listen", &server.address]);
    assert_eq!(code, Some(1));
    let expected =
        format!("gbsup: cannot listen on {}: Address already in use (os error 98)\n", server.address);
    assert_eq!(words, expected);
    // Whoever started it has ended meanwhile.
    let (code, words) = run(&["--listen", "127.0.0.1:0", "--parent", "1"]);
    assert_eq!((code, words.as_str()), (Some(1), "gbsup: cannot follow process 1: it has ended\n"));
}

#[test]
fn what_has_left_the_offer_is_looked_for_in_the_last_releases_only() {
    let server = Server::start();
    for n in 1..=40 {
        let place = server.releases().join(format!("2026-10-01.{n}/app-misc/old"));
        fs::create_dir_all(&place).unwrap();
        fs::write(place.join(format!("old-{n}-1.gpkg.tar")), "x").unwrap();
    }
    // The one of the fixture and 31 of these are the last 32.
    for (n, status) in [(40, 200), (10, 200), (9, 404), (1, 404)] {
        let answer = server.get(&format!("/binpkgs/app-misc/old/old-{n}-1.gpkg.tar"));
        assert_eq!(answer.status, status, "{n}");
    }
    // By its own release it is there for ever.
    assert_eq!(server.get("/releases/2026-10-01.1/app-misc/old/old-1-1.gpkg.tar").status, 200);
}
