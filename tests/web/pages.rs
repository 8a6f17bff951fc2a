//! The pages and what programs read, as HTTP has it.

use std::fs;

use serde_json::Value;

use crate::builder::{around, hostile, refused, tell_building, told, waiting};
use crate::server::{NEW, OLD, Server};

fn built() -> Server {
    let mut server = Server::of_builder(&[]);
    tell_building(&mut server);
    server
}

#[test]
fn each_page_is_there_with_its_head() {
    let server = built();
    for (path, kind, words) in [
        ("/", "text/html; charset=utf-8", "<h1><span class=\"state\">running:</span> building 13 of 57"),
        ("/", "text/html; charset=utf-8", "<code>gbsup clients media.lan</code>"),
        ("/plan/", "text/html; charset=utf-8", "44 packages are left."),
        ("/cycles/", "text/html; charset=utf-8", "<a href=\"/cycles/118\">118</a>"),
        ("/cycles/118", "text/html; charset=utf-8", "<svg class=\"gantt\""),
        ("/releases/", "text/html; charset=utf-8", NEW),
        ("/style.css", "text/css; charset=utf-8", "prefers-color-scheme"),
        ("/page.js", "text/javascript; charset=utf-8", "EventSource"),
        ("/icon.svg?bad", "image/svg+xml", "#d0402f"),
        ("/api/v1/status", "application/json", "\"headline\": \"running: building 13 of 57"),
        ("/api/v1/clients", "application/json", "\"seconds\": 11400"),
        ("/api/v1/releases", "application/json", OLD),
        ("/metrics", "text/plain; version=0.0.4; charset=utf-8", "\ngbsup_state{state=\"running\"} 1\n"),
        (
            "/feed/releases.atom",
            "application/atom+xml; charset=utf-8",
            "<feed xmlns=\"http://www.w3.org/2005/Atom\">",
        ),
        (
            "/feed/failures.atom",
            "application/atom+xml; charset=utf-8",
            "<title>media-libs/libfoo-2.1 failed</title>",
        ),
    ] {
        let answer = server.get(path);
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(kind)), "{path}");
        assert!(answer.text().contains(words), "{path}: {}", answer.text());
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("cache-control"), Some("no-cache"), "{path}");
        let policy = answer.header("content-security-policy").unwrap_or_default();
        assert_eq!(
            policy.starts_with("default-src 'self';"),
            kind.starts_with("text/html"),
            "{path}: {policy}"
        );
        let head = server.ask("HEAD", path, &[]);
        assert_eq!((head.status, head.header("content-type")), (200, Some(kind)), "{path}");
        assert_eq!(server.ask("POST", path, &[]).status, 405, "{path}");
    }
    for path in [
        "/cycles/9999",
        "/cycles/0",
        "/cycles/118/",
        "/plan/x",
        "/api/v1/",
        "/api/v1/farm",
        "/farm",
        "/api/v2/status",
        "/feed/",
        "/favicon.ico",
    ] {
        assert_eq!(server.get(path).status, 404, "{path}");
    }
}

#[test]
fn the_client_chooses_the_form_and_keeps_what_it_has() {
    let server = built();
    for (accept, kind, begins) in [
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html; charset=utf-8", "<!DOCTYPE html>"),
        ("*/*", "text/html; charset=utf-8", "<!DOCTYPE html>"),
        ("application/json", "application/json", "{\n  \"schema\": 1,"),
        ("text/plain", "text/plain; charset=utf-8", "running: building 13 of 57"),
    ] {
        let answer = server.ask("GET", "/", &[("Accept", accept)]);
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(kind)), "{accept}");
        assert_eq!(answer.header("vary"), Some("Accept"));
        assert!(answer.text().starts_with(begins), "{accept}: {}", answer.text());
    }
    assert_eq!(server.ask("GET", "/", &[("Accept", "image/png")]).status, 406);
    for path in ["/style.css", "/page.js", "/releases/", "/cycles/118", "/feed/failures.atom"] {
        let tag = server.get(path).header("etag").unwrap().to_owned();
        let again = server.ask("GET", path, &[("If-None-Match", &format!("\"other\", {tag}"))]);
        assert_eq!((again.status, again.header("etag")), (304, Some(tag.as_str())), "{path}");
        assert_eq!(server.ask("GET", path, &[("If-None-Match", "\"other\"")]).status, 200, "{path}");
    }
}

#[test]
fn what_changes_is_another_page() {
    let mut server = built();
    let tag = server.get("/plan/").header("etag").unwrap().to_owned();
    server.tell(&told(&waiting()));
    server.tell(&around("waiting")[0]);
    server.until("waiting: everything else");
    let now = server.ask("GET", "/plan/", &[("If-None-Match", &tag)]);
    assert!(now.status == 200 && now.text().contains("Nothing is left to do."), "{}", now.text());
}

#[test]
fn words_of_others_are_no_part_of_a_page_or_of_its_events() {
    let mut server = Server::of_builder(&[]);
    server.tell(&told(&hostile()));
    server.until("paused: ");
    let page = server.get("/").text();
    assert_eq!(page.matches("<script").count(), 1, "{page}");
    assert!(!page.contains("<img") && !page.contains('\u{202e}') && !page.contains('\u{1b}'), "{page}");
    let numbers = server.get("/metrics").text();
    assert!(numbers.lines().all(|line| line.starts_with("# ") || line.starts_with("gbsup_")), "{numbers}");
}

#[test]
fn releases_say_what_changed_in_them() {
    let server = Server::start();
    let release = server.releases().join(NEW);
    let entry = r#"{"cpv":"app-misc/hello-2","slot":"0","build_id":1,"path":"app-misc/hello/hello-2-1.gpkg.tar","size":3145728,
        "md5":"","sha1":"","sha512":"","why":"<asked> for"}"#;
    let text = format!(
        r#"{{"schema":1,"id":"{NEW}","published":"2026-11-22T14:30:00Z","gbsup":"0.1.0","cycle":7,"revisions":{{"gentoo":"3f2a91c5e7788990"}},
        "packages":[{entry}],"held":[],"index":[]}}"#
    );
    fs::write(release.join("release.json"), text).unwrap();
    let changes = format!(
        "Release {NEW}, 2026-11-22 14:30:00 UTC: 1 upgraded; 0 as before; 3.0 MiB to download\n\nupgraded\n  app-misc/hello 1 -> 2\n"
    );
    fs::write(release.join("CHANGES"), &changes).unwrap();
    let listed: Value = serde_json::from_slice(&server.get("/api/v1/releases").body).unwrap();
    assert_eq!(
        (&listed[0]["id"], &listed[0]["current"], &listed[0]["packages"]),
        (&NEW.into(), &true.into(), &1.into())
    );
    assert_eq!(listed[0]["changes"], "1 upgraded; 0 as before; 3.0 MiB to download");
    // Of the other one nothing is known but that it is there.
    assert_eq!(listed[1], serde_json::json!({ "id": OLD, "current": false }));
    let list = server.get("/releases/").text();
    assert!(list.contains("1 upgraded; 0 as before") && list.contains("/cycles/7"), "{list}");
    let page = server.get(&format!("/releases/{NEW}/")).text();
    for words in [
        "app-misc/hello 1 -&gt; 2",
        "&lt;asked&gt; for",
        "href=\"./app-misc/hello/hello-2-1.gpkg.tar\"",
        "3f2a91c5e778",
    ] {
        assert!(page.contains(words), "{words} in {page}");
    }
    let feed = server.get("/feed/releases.atom").text();
    assert!(
        feed.contains("<summary>1 package: 1 upgraded")
            && feed.contains(&format!("href=\"/releases/{NEW}/\"")),
        "{feed}"
    );
    // The files themselves are as they were.
    assert_eq!(server.get(&format!("/releases/{NEW}/CHANGES")).text(), changes);
}

#[test]
fn without_its_volume_a_builder_says_why_and_serves_nothing_of_it() {
    const WHY: &str = "paused: the volume /var/lib/gbsup is mounted read-only. Repair it, then: gbsup resume";
    let mut server = Server::bare();
    server.tell(&told(&refused(WHY)));
    server.until(WHY);
    let page = server.ask("GET", "/", &[("Accept", "text/html")]);
    assert_eq!(page.status, 200);
    for words in
        ["is mounted read-only", "mount -o remount,rw /var/lib/gbsup", "Nothing while the volume is not used"]
    {
        assert!(page.text().contains(words), "{words}: {}", page.text());
    }
    // What nobody looked at is neither told nor offered.
    assert!(!page.text().contains("synced") && !page.text().contains("\"/client.sh\""), "{}", page.text());
    assert!(
        server.get("/metrics").text().contains("gbsup_state{state=\"paused\"} 1"),
        "{}",
        server.get("/metrics").text()
    );
    // What the volume has, it has still: none of it is shown, and none is said to be gone.
    for path in [
        "/binpkgs/",
        "/binpkgs/Packages",
        "/releases/",
        "/cycles/",
        "/packages/",
        "/healthz",
        "/client.sh",
        "/logs/",
        "/feed/releases.atom",
    ] {
        let answer = server.get(path);
        assert_eq!((answer.status, answer.text()), (503, format!("{WHY}\n")), "{path}");
        let page = server.ask("GET", path, &[("Accept", "text/html,*/*;q=0.8")]);
        assert!(
            page.status == 503 && page.text().contains("<h1>") && page.text().contains("mounted read-only"),
            "{path}"
        );
    }
}
