//! The numbers, read by the Prometheus of Debian.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use serde_json::Value;

use crate::builder::{around, building, paused, told, waiting};
use crate::server::{PATIENCE, Server, read, request};

struct Prometheus {
    child: Child,
    address: String,
    _place: tempfile::TempDir,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Prometheus {
    fn of(server: &Server) -> Self {
        let place = tempfile::tempdir().unwrap();
        // An address of its own, so that no connection of another test is given the port meanwhile.
        let address = TcpListener::bind("127.90.90.90:0").unwrap().local_addr().unwrap().to_string();
        let config = place.path().join("prometheus.yml");
        let target = &server.address;
        let text = format!(
            "global: {{ scrape_interval: 1s, scrape_timeout: 1s }}\nscrape_configs: [{{ job_name: gbsup, static_configs: [{{ targets: ['{target}'] }}] }}]\n"
        );
        fs::write(&config, text).unwrap();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", place.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--log.level=error")
            .stdin(Stdio::null())
            .spawn();
        Self {
            child: child.expect("this test needs Prometheus: apt-get install prometheus"),
            address,
            _place: place,
        }
    }

    /// The values of a query by the value of a label of each, or nothing while it does not answer.
    fn query(&self, query: &str) -> Option<Vec<Value>> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        let path = format!("/api/v1/query?query={query}");
        stream
            .write_all(
                request("GET", &path, &[("Connection", "close"), ("Accept-Encoding", "identity")]).as_bytes(),
            )
            .ok()?;
        let answer = read(&mut BufReader::new(stream), false)?;
        let mut answer: Value = serde_json::from_slice(&answer.body).ok()?;
        match answer["data"]["result"].take() {
            Value::Array(list) => Some(list),
            _ => None,
        }
    }
}

#[test]
fn promtool_has_nothing_to_say() {
    for (name, status) in [("building", building(11)), ("paused", paused()), ("waiting", waiting())] {
        let mut server = Server::of_builder(&[]);
        server.tell(&told(&status));
        for message in &around(name) {
            server.tell(message);
        }
        server.until(&status.headline[..30]);
        let answer = server.get("/metrics");
        assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
        let child = Command::new("promtool")
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = child.expect("this test needs promtool: apt-get install prometheus");
        child.stdin.take().unwrap().write_all(&answer.body).unwrap();
        let said = child.wait_with_output().unwrap();
        let words =
            String::from_utf8_lossy(&said.stderr).into_owned() + &String::from_utf8_lossy(&said.stdout);
        assert!(said.status.success() && words.is_empty(), "{name}: {words}\n{}", answer.text());
    }
}

/// Names of metrics in an expression of Prometheus.
fn metrics(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("gbsup_")).map(str::to_owned).collect()
}

#[test]
fn alerts_and_the_board_ask_for_what_there_is() {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("etc");
    let rules = place.join("prometheus.rules.yml");
    let said = Command::new("promtool").args(["check", "rules"]).arg(&rules).output();
    let said = said.expect("this test needs promtool: apt-get install prometheus");
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let mut known = BTreeSet::new();
    for status in [building(11), paused(), waiting()] {
        let mut server = Server::of_builder(&[]);
        server.tell(&told(&status));
        for message in &around("building") {
            server.tell(message);
        }
        server.until(&status.headline[..30]);
        known.extend(metrics(&server.get("/metrics").text()));
    }
    let board = fs::read_to_string(place.join("grafana.json")).unwrap();
    let parsed: Value = serde_json::from_str(&board).unwrap();
    assert!(parsed["panels"].as_array().unwrap().len() > 5);
    for text in [fs::read_to_string(&rules).unwrap(), board] {
        let asked = metrics(&text);
        assert!(asked.len() > 5 && asked.is_subset(&known), "{:?} are not told", asked.difference(&known));
    }
}

#[test]
fn prometheus_reads_what_the_builder_tells() {
    let mut server = Server::of_builder(&[]);
    server.tell(&told(&building(11)));
    for message in &around("building") {
        server.tell(message);
    }
    let prometheus = Prometheus::of(&server);
    let until = |query: &str, wanted: &str| {
        let begun = Instant::now();
        loop {
            let found = prometheus.query(query).unwrap_or_default();
            if found.first().is_some_and(|one| one["value"][1] == wanted) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{query} is {found:?}, not {wanted}");
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    };
    until("up", "1");
    until("gbsup_state{state=%22running%22}", "1");
    until("gbsup_queue_packages", "44");
    until("gbsup_eta_seconds{bound=%22likely%22}", "7800");
    until("gbsup_failures{class=%22compile%22}", "1");
    until("count(gbsup_sync_age_seconds)", "2");
    server.tell(&told(&paused()));
    until("gbsup_state{state=%22paused%22}", "1");
    until("gbsup_failures{class=%22out-of-memory%22}", "1");
}
