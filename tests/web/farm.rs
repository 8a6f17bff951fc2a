//! Several builders on one page: those that are there, those that are not, and what only pretends to be one.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{Backlog, listen};
use nix::unistd::{Pid, geteuid};
use serde_json::Value;

use crate::builder::{building, paused, told, waiting};
use crate::server::{PATIENCE, Server, request};

/// A builder that knows of these.
fn beside(peers: &[String]) -> Server {
    let mut server =
        Server::of_builder(&[("GBSUP_HTTP_PEERS", &peers.join(" ")), ("GBSUP_NOTIFY_NAME", "here")]);
    server.tell(&told(&building(11)));
    server.until("running: ");
    server
}

fn other(status: &gbsup::model::status::Status) -> Server {
    let mut server = Server::of_builder(&[]);
    server.tell(&told(status));
    server.until(&status.headline[..20]);
    server
}

fn farm(server: &Server) -> Value {
    let answer = server.get("/api/v1/farm");
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    serde_json::from_slice(&answer.body).unwrap()
}

/// Asks until this is so.
fn until(server: &Server, is_so: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let farm = farm(server);
        if is_so(&farm) {
            return farm;
        }
        assert!(begun.elapsed() < PATIENCE, "{farm:#}");
    }
}

/// What answers each connection with these bytes, and keeps it open if that is wanted; its URL.
fn pretender(answer: Vec<u8>, keeps: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let mut kept = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            drop(BufReader::new(&stream).lines().map_while(Result::ok).find(String::is_empty));
            drop(stream.write_all(&answer));
            if keeps {
                kept.push(stream);
            }
        }
    });
    url
}

/// Where a connection is neither taken nor refused, since as many wait there as may. Those are kept.
fn deaf() -> (String, TcpListener, Vec<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listen(&listener, Backlog::new(0).unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let mut wait = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
        wait.push(stream);
    }
    (format!("http://{address}"), listener, wait)
}

fn ok(body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into()
}

#[test]
fn each_builder_has_a_line_with_what_it_says() {
    let (held, done) = (other(&paused()), other(&waiting()));
    let server = beside(&[format!("http://{}", held.address), format!("http://{}/", done.address)]);
    let farm = until(&server, |farm| (1..3).all(|n| farm["builders"][n]["status"].is_object()));
    let said = |n: usize, key: &str| farm["builders"][n]["status"][key].clone();
    assert_eq!(farm["schema"], 1);
    assert_eq!(
        [&farm["builders"][0]["name"], &farm["builders"][0]["url"]],
        [&Value::from("here"), &Value::Null]
    );
    assert_eq!(farm["builders"][1]["url"], format!("http://{}", held.address));
    assert_eq!([said(0, "state"), said(1, "state"), said(2, "state")], ["running", "paused", "waiting"]);
    assert_eq!(said(1, "headline"), paused().headline);
    assert_eq!(
        (said(1, "pause")["why"].clone(), said(2, "release")["packages"].clone()),
        ("failure".into(), 913.into())
    );
    assert!(farm["builders"].as_array().unwrap().iter().all(|one| one["away"].is_null()), "{farm:#}");

    let page = server.get("/farm");
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let page = page.text();
    assert!(page.contains("3 builders: 1 needs a person, 1 builds"), "{page}");
    assert!(
        page.contains(&format!("<a class=\"host\" href=\"http://{}\">{}</a>", held.address, held.address)),
        "{page}"
    );
    // The way there is on the pages of those that know of others, and on no other.
    assert!(server.get("/").text().contains("<a href=\"/farm\""), "{page}");
    assert!(!done.get("/").text().contains("/farm"));
    assert_eq!((done.get("/farm").status, done.get("/api/v1/farm").status), (404, 404));
    assert_eq!(server.ask("HEAD", "/farm", &[]).body.len(), 0);
    assert_eq!(server.ask("POST", "/farm", &[]).status, 405);

    // Whoever has it open is sent it anew.
    let mut stream = server.connect();
    stream.write_all(request("GET", "/api/v1/events?farm", &[]).as_bytes()).unwrap();
    let data = BufReader::new(stream).lines().map_while(Result::ok);
    let data = data.into_iter().find_map(|line| line.strip_prefix("data: ").map(str::to_owned)).unwrap();
    let change: Value = serde_json::from_str(&data).unwrap();
    assert!(change["parts"]["farm"].as_str().unwrap().contains(&held.address), "{change}");
}

#[test]
fn a_builder_that_goes_away_is_shown_as_it_was() {
    let done = other(&waiting());
    let server = beside(&[format!("http://{}", done.address), "http://no-such-host.invalid".to_owned()]);
    let farm = until(&server, |farm| {
        farm["builders"][1]["status"].is_object() && farm["builders"][2]["away"].is_object()
    });
    assert_eq!(farm["builders"][2]["away"]["why"], "the host no-such-host.invalid is not known");
    drop(done);
    let farm = until(&server, |farm| farm["builders"][1]["away"].is_object());
    let gone = &farm["builders"][1];
    assert_eq!((&gone["status"]["state"], gone["heard"].is_string()), (&"waiting".into(), true));
    let why = "127.0.0.1 cannot be reached: Connection refused";
    assert_eq!(gone["away"]["why"], why);
    let page = server.get("/farm").text();
    assert!(page.contains(why) && page.contains("; this is as it was "), "{page}");
    // It stays away since then, however often it is asked.
    let since = gone["away"]["since"].clone();
    let heard = gone["heard"].clone();
    let later = until(&server, |farm| farm["builders"][2]["away"]["since"] != Value::Null);
    assert_eq!((&later["builders"][1]["away"]["since"], &later["builders"][1]["heard"]), (&since, &heard));
}

#[test]
fn what_only_pretends_to_be_a_builder_is_shown_as_what_it_is() {
    let huge = format!("{{\"schema\":1,\"x\":\"{}\"", "x".repeat(3 << 20));
    let newer = "{\"schema\":2,\"state\":\"dreaming\"}";
    let evil = serde_json::to_string(&crate::builder::hostile()).unwrap();
    let no_builder = "what answers there is no builder: it sends no status";
    let (deaf, _listener, _waits) = deaf();
    // It does not speak TLS.
    let plain = pretender(b"HTTP/1.1 400 this is no TLS\r\n\r\n".into(), false).replace("http:", "https:");
    let cases = [
        (deaf, "127.0.0.1 did not answer in time"),
        (plain, "no secure connection to 127.0.0.1: received corrupt message of type InvalidContentType"),
        (pretender(ok("<html>"), false), no_builder),
        (pretender(ok(&"[".repeat(500_000)), false), no_builder),
        (pretender(ok(&huge), false), "what answers there is no builder: it sends more than 1024 KiB"),
        (pretender(ok(newer), false), "it is newer: its status has the format 2, and 1 is known here"),
        (
            pretender(
                b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n".into(),
                false,
            ),
            "127.0.0.1 sends it on to another place; configure the URL of that",
        ),
        (
            pretender(b"HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n".into(), false),
            "what answers there knows of no builder",
        ),
        (
            pretender(b"HTTP/1.1 503 x\r\nContent-Length: 0\r\n\r\n".into(), false),
            "127.0.0.1 answered with HTTP status 503",
        ),
        (pretender(b"220 mail ready\r\n".into(), false), "127.0.0.1 did not answer in HTTP"),
        (pretender([b"HTTP/1.1 200 OK\r\nX: ".to_vec(), vec![b'x'; 1 << 20]].concat(), false), ""),
        // It says nothing, and it stops in the middle.
        (pretender(Vec::new(), true), "127.0.0.1 did not answer in time"),
        (
            pretender(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{\"schema\":".into(), true),
            "127.0.0.1 did not answer in time",
        ),
        (pretender(ok(&evil), false), ""),
    ];
    let peers: Vec<String> = cases.iter().map(|(url, _)| url.clone()).collect();
    let server = beside(&peers);
    let heard = |one: &Value| one["away"].is_object() || one["status"].is_object();
    let farm = until(&server, |farm| farm["builders"].as_array().unwrap().iter().all(heard));
    let said: BTreeMap<_, _> =
        farm["builders"].as_array().unwrap().iter().map(|one| (one["url"].as_str(), one)).collect();
    for (url, why) in &cases[..cases.len() - 1] {
        let away = said[&Some(url.as_str())]["away"]["why"].as_str().unwrap();
        assert!(
            if why.is_empty() {
                away.starts_with("the request to") || away.starts_with("127.0.0.1 ")
            } else {
                away == *why
            },
            "{why}: {away}"
        );
    }
    // What it says is text, and no more of it than fits.
    let evil = said[&Some(cases[cases.len() - 1].0.as_str())];
    assert_eq!(evil["status"]["state"], "paused");
    let page = server.get("/farm").text();
    assert!(
        page.matches("<script").count() == 1 && !page.contains("<img") && !page.contains('\u{1b}'),
        "{page}"
    );
    assert!(page.len() < 60_000, "{}", page.len());
}

/// The children of a process, with what the kernel calls them.
fn children(pid: u32) -> Vec<(i32, String)> {
    let listed = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    let named = |pid: i32| {
        (pid, fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim().to_owned())
    };
    listed.split_whitespace().map(|pid| named(pid.parse().unwrap())).collect()
}

#[test]
fn whoever_asks_has_no_rights_and_nothing_depends_on_it() {
    let done = other(&waiting());
    assert_eq!(children(done.pid()), []);
    let server = beside(&[format!("http://{}", done.address)]);
    until(&server, |farm| farm["builders"][1]["status"].is_object());
    let [(pid, name)] = &children(server.pid())[..] else { panic!("{:?}", children(server.pid())) };
    assert_eq!(name, "gbsup: peers");
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    assert!(status.contains("NoNewPrivs:\t1\n"), "{status}");
    if geteuid().is_root() {
        assert!(status.contains("\nUid:\t65531\t65531\t65531\t65531\n"), "{status}");
        assert!(status.contains("\nCapEff:\t0000000000000000\n"), "{status}");
        let open = fs::read_dir(format!("/proc/{pid}/fd"))
            .unwrap()
            .map(|fd| fs::read_link(fd.unwrap().path()).unwrap());
        let volume = server.releases();
        assert!(open.into_iter().all(|file| !file.starts_with(volume.parent().unwrap())));
    }
    // When it ends the server goes on, and says so.
    kill(Pid::from_raw(*pid), Signal::SIGKILL).unwrap();
    let farm = until(&server, |farm| farm["builders"][1]["away"].is_object());
    assert_eq!(
        farm["builders"][1]["away"]["why"],
        "nobody asks it any more, until the server is started again"
    );
    assert_eq!(farm["builders"][1]["status"]["state"], "waiting");
    assert_eq!(server.get("/binpkgs/Packages").status, 200);
}

#[test]
fn a_server_without_a_builder_shows_the_others() {
    let done = other(&waiting());
    let server = Server::with(&[], &[("GBSUP_HTTP_PEERS", &format!("http://{}", done.address))]);
    let farm = until(&server, |farm| farm["builders"][0]["status"].is_object());
    assert_eq!(farm["builders"].as_array().unwrap().len(), 1);
    assert!(server.get("/farm").text().contains("1 builder"));
    // One that finds itself among them is there once.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{free} http://{}", done.address);
    let args = ["--listen", &free.to_string()];
    let server = Server::listening(&args, &[("GBSUP_HTTP_PEERS", &url)]);
    let farm = until(&server, |farm| {
        farm["builders"].as_array().unwrap().iter().any(|one| one["status"].is_object())
    });
    assert_eq!(farm["builders"].as_array().unwrap().len(), 1, "{farm:#}");
    drop(TcpStream::connect(&server.address));
}

/// A server of OpenSSL's that answers with one file, until this is dropped.
struct Secure(Child);

impl Drop for Secure {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn a_builder_behind_tls_is_verified() {
    let place = tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o755)).tempdir().unwrap();
    let script = "exec >/dev/null 2>&1; set -e; curve='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
        openssl req -x509 $curve -keyout ca.key -out ca.pem -subj /CN=house -days 2
        openssl req $curve -keyout key -out request -subj /CN=desktop
        echo subjectAltName=IP:127.80.80.81 >names
        openssl x509 -req -in request -CA ca.pem -CAkey ca.key -CAcreateserial -out cert -days 2 -extfile names
        mkdir -p api/v1 && chmod 644 ca.pem";
    let made = Command::new("sh").args(["-c", script]).current_dir(place.path()).status().unwrap();
    assert!(made.success(), "this test needs openssl: apt-get install openssl");
    let status = serde_json::to_string(&waiting()).unwrap();
    fs::write(place.path().join("api/v1/status"), ok(&status)).unwrap();
    // An address of its own, so that no connection of another test is given the port meanwhile.
    let free = TcpListener::bind("127.80.80.81:0").unwrap().local_addr().unwrap();
    let served = Command::new("openssl")
        .args(["s_server", "-quiet", "-HTTP", "-cert", "cert", "-key", "key", "-accept", &free.to_string()])
        .current_dir(place.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let _served = Secure(served.unwrap());
    let begun = Instant::now();
    while TcpStream::connect(free).is_err() {
        assert!(begun.elapsed() < PATIENCE, "openssl does not begin");
        thread::yield_now();
    }
    let url = format!("https://{free}");
    let authority = place.path().join("ca.pem").display().to_string();
    let knowing = Server::with(&[], &[("GBSUP_HTTP_PEERS", &url), ("SSL_CERT_FILE", &authority)]);
    let farm = until(&knowing, |farm| farm["builders"][0]["status"].is_object());
    assert_eq!(
        (&farm["builders"][0]["url"], &farm["builders"][0]["status"]["state"]),
        (&url.as_str().into(), &"waiting".into())
    );
    let strange = Server::with(&[], &[("GBSUP_HTTP_PEERS", &url)]);
    let farm = until(&strange, |farm| farm["builders"][0]["away"].is_object());
    let why = farm["builders"][0]["away"]["why"].as_str().unwrap();
    assert!(why.starts_with("no secure connection to 127.80.80.81: invalid peer certificate"), "{why}");
}
