//! `etc/nginx.conf`, in a real nginx.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::server::{NEW, OLD, Server, bytes};

struct Nginx(Child);

impl Drop for Nginx {
    fn drop(&mut self) {
        // Its workers go with it.
        drop(Command::new("kill").arg(self.0.id().to_string()).status());
        drop(self.0.wait());
    }
}

#[test]
fn nginx_serves_the_same() {
    // For its releases, and for how it is asked.
    let mut server = Server::start();
    symlink(OLD, server.releases().join("previous")).unwrap();
    // An address of its own, so that no connection of another test is given the port meanwhile.
    let free = TcpListener::bind("127.80.80.80:0").unwrap().local_addr().unwrap();
    let shipped = include_str!("../../etc/nginx.conf");
    let ours = shipped
        .replace("listen 8080;", &format!("listen {free};"))
        .replace("    listen [::]:8080;\n", "")
        .replace("/var/lib/docker/volumes/gb/_data/releases", &server.releases().display().to_string());
    let place = tempfile::tempdir().unwrap();
    let main = format!(
        "daemon off;\npid {0}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n\
         client_body_temp_path {0}/body;\nproxy_temp_path {0}/proxy;\nfastcgi_temp_path {0}/fastcgi;\n\
         uwsgi_temp_path {0}/uwsgi;\nscgi_temp_path {0}/scgi;\n{ours}}}\n",
        place.path().display()
    );
    let file = place.path().join("nginx.conf");
    fs::write(&file, main).unwrap();
    let begun = Command::new("nginx").arg("-c").arg(&file).stdin(Stdio::null()).spawn();
    let _nginx = Nginx(begun.expect("this test needs nginx: apt-get install nginx-light"));
    let begun = Instant::now();
    while std::net::TcpStream::connect(free).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(20), "nginx does not begin");
        std::thread::sleep(Duration::from_millis(20));
    }

    let whole = bytes(3 << 20);
    server.with_tree();
    let own = std::mem::replace(&mut server.address, free.to_string());
    assert!(server.get("/binpkgs/Packages").text().contains("hello-2"));
    assert_eq!(server.get("/binpkgs/Packages.gz").text(), format!("compressed {NEW}"));
    assert_eq!(server.get("/binpkgs/Packages.gz").header("content-encoding"), None);
    for package in ["hello-2", "hello-1"] {
        assert!(
            server.get(&format!("/binpkgs/app-misc/hello/{package}-1.gpkg.tar")).body == whole,
            "{package}"
        );
    }
    let packed = server.ask("GET", "/binpkgs/Packages", &[("Accept-Encoding", "gzip")]);
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    let seen = server.get("/binpkgs/Packages").header("last-modified").unwrap().to_owned();
    assert_eq!(server.ask("GET", "/binpkgs/Packages", &[("If-Modified-Since", &seen)]).status, 304);
    let part = server.ask("GET", "/binpkgs/app-misc/hello/hello-2-1.gpkg.tar", &[("Range", "bytes=5-9")]);
    assert_eq!((part.status, part.body.as_slice()), (206, &whole[5..10]));
    server.assert_tree_is_served();
    for (path, status) in [
        ("/binpkgs/nothing", 404),
        ("/binpkgs/gbsup.asc", 404),
        ("/binpkgs/..%2f..%2fstate/state.json", 400),
        ("/binpkgs/../.new-2026-11-22.2/Packages", 404),
        ("/.new-2026-11-22.2/Packages", 404),
        ("/state/state.json", 404),
    ] {
        assert_eq!(server.get(path).status, status, "{path}");
    }
    server.address = own;
    assert_eq!(server.get("/healthz").status, 200);
}
