//! Nothing but what a release has is ever answered.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;

use crate::server::{NEW, Server};

#[test]
fn nothing_leads_out_of_a_release() {
    let server = Server::start();
    let release = server.releases().join(NEW);
    symlink("/etc/passwd", release.join("link.gpkg.tar")).unwrap();
    symlink("../../state", release.join("out")).unwrap();
    symlink("hello-2-1.gpkg.tar", release.join("app-misc/hello/inner.gpkg.tar")).unwrap();
    fs::write(release.join(".hidden"), "SECRET").unwrap();
    let long = "a/".repeat(4000);
    for (target, status) in [
        ("/binpkgs/../state/state.json", 400),
        ("/binpkgs/../../../../etc/passwd", 400),
        ("/binpkgs/%2e%2e/%2e%2e/state/state.json", 400),
        ("/binpkgs/%252e%252e/state/state.json", 400),
        ("/binpkgs/..%2f..%2fstate%2fstate.json", 400),
        ("/binpkgs/..\\..\\state\\state.json", 400),
        ("/binpkgs/%2fetc%2fpasswd", 400),
        ("/binpkgs/Packages%00", 400),
        ("/binpkgs//etc/passwd", 404),
        ("//etc/passwd", 404),
        ("/etc/passwd", 404),
        ("/state/state.json", 404),
        ("/binpkgs/link.gpkg.tar", 404),
        ("/binpkgs/out/state.json", 404),
        ("/binpkgs/app-misc/hello/inner.gpkg.tar", 404),
        ("/binpkgs/.hidden", 404),
        ("/releases/.new-2026-11-22.2/Packages", 404),
        ("/releases/current/Packages", 404),
        ("/releases/2026-11-22.1/../../state/state.json", 400),
        ("http://elsewhere/binpkgs/../state/state.json", 400),
        ("*", 400),
        ("binpkgs/Packages", 400),
        ("/binpkgs/app-misc/hello/hello-2-1.gpkg.tar/", 404),
        ("/binpkgs/app-misc/hello/hello-2-1.gpkg.tar/x", 404),
        (&format!("/binpkgs/{long}"), 414),
    ] {
        let answer = server.raw(format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
        let answer = answer.unwrap_or_else(|| panic!("no answer to {target}"));
        assert_eq!(answer.status, status, "{target}: {}", answer.text());
        assert!(!answer.text().contains("SECRET") && !answer.text().contains("root:"), "{target}");
    }
    let listing = server.get(&format!("/releases/{NEW}/")).text();
    assert!(listing.contains("Packages"), "{listing}");
    for hidden in ["link.gpkg.tar", ".hidden", "./out"] {
        assert!(!listing.contains(hidden), "{listing}");
    }
    assert!(!server.get("/releases/").text().contains(".new"));
}

#[test]
fn nothing_but_reading_is_answered() {
    let server = Server::start();
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"] {
        let answer = server.raw(format!("{method} /binpkgs/Packages HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
        let answer = answer.unwrap();
        assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD")), "{method}");
    }
    // A body is not waited for.
    let sent = b"POST /binpkgs/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n";
    assert_eq!(server.raw(sent).unwrap().status, 405);
    let sent = b"GET /binpkgs/Packages HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(server.raw(sent).unwrap().status, 200);
}

#[test]
fn what_is_no_request_is_refused_and_the_next_one_answered() {
    let server = Server::start();
    let mut flood = String::from("GET / HTTP/1.1\r\nHost: x\r\n");
    for n in 0..1000 {
        let _ = write!(flood, "X-{n}: y\r\n");
    }
    let wide = format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "y".repeat(100_000));
    for request in [
        "nonsense\r\n\r\n",
        "GET /\r\n\r\n",
        "GET / HTTP/7.3\r\n\r\n",
        "GET / HTTP/1.1\r\nHost x\r\n\r\n",
        "GET /binpkgs/a\0b HTTP/1.1\r\nHost: x\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}",
        &(flood + "\r\n"),
        &wide,
        "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    ] {
        let status = server.raw(request.as_bytes()).map(|answer| answer.status);
        assert!(
            matches!(status, None | Some(400 | 414 | 431)),
            "{status:?} {:?}",
            &request[..20.min(request.len())]
        );
    }
    assert_eq!(server.get("/healthz").status, 200);
}
