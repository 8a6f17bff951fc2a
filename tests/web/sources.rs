//! Source archives: only where they may be had, and only whole ones.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use crate::server::Server;

const SECRET: &str = "not for everybody";

/// As Portage leaves it: its group may change it, others may perhaps not even read it.
fn fetched(server: &Server, name: &str, text: &str, mode: u32) {
    let path = server.releases().with_file_name("distfiles").join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    if nix::unistd::geteuid().is_root() {
        std::os::unix::fs::chown(&path, Some(250), Some(250)).unwrap();
    }
}

#[test]
fn they_are_served_where_that_was_asked_for() {
    let server = Server::with(&[], &[]);
    fetched(&server, "a-1.tar.gz", "source", 0o644);
    let refused = server.get("/distfiles/a-1.tar.gz");
    assert_eq!(refused.status, 404);
    assert!(refused.text().contains("http.distfiles is false"), "{}", refused.text());
}

#[test]
fn a_mirror_has_whole_sources_and_says_where_they_lie() {
    let server = Server::with(&[], &[("GBSUP_HTTP_DISTFILES", "true")]);
    let layout = server.get("/distfiles/layout.conf");
    assert_eq!((layout.status, layout.text().as_str()), (200, "[structure]\n0=flat\n"));

    fetched(&server, "a+b-1.tar.gz", "a source", 0o640);
    let whole = server.get("/distfiles/a%2Bb-1.tar.gz");
    assert_eq!((whole.status, whole.text().as_str()), (200, "a source"));
    let rest = server.ask("GET", "/desk/distfiles/a+b-1.tar.gz", &[("Range", "bytes=2-")]);
    assert_eq!((rest.status, rest.text().as_str()), (206, "source"), "it goes on where it was cut");
    let head = server.ask("HEAD", "/distfiles/a+b-1.tar.gz", &[]);
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (200, Some("8"), 0));

    let distfiles = server.releases().with_file_name("distfiles");
    for name in
        ["b-1.tar.gz.__download__", "c-1.tar.gz._checksum_failure_.x1y2", ".d-1.tar.gz.portage_lockfile"]
    {
        fetched(&server, name, SECRET, 0o644);
    }
    fetched(&server, "git3-src/x.git/config", SECRET, 0o644);
    fs::write(distfiles.with_file_name("secret"), SECRET).unwrap();
    symlink("../secret", distfiles.join("link.tar.gz")).unwrap();
    symlink("..", distfiles.join("up")).unwrap();
    for path in [
        "b-1.tar.gz",
        "b-1.tar.gz.__download__",
        "c-1.tar.gz._checksum_failure_.x1y2",
        ".d-1.tar.gz.portage_lockfile",
        "git3-src/x.git/config",
        "git3-src",
        "link.tar.gz",
        "up/secret",
        "..%2Fsecret",
        "",
    ] {
        let answer = server.get(&format!("/distfiles/{path}"));
        assert!([400, 404].contains(&answer.status), "{path}: {answer:?}");
        assert!(!answer.text().contains(SECRET), "{path}");
    }
}
