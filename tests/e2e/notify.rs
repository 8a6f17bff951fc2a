//! Who is told, over a real socket and by a real command.

use std::fs;

use gbsup::model::status::Mode;
use serde_json::Value;

use crate::support::{Builder, Recipe};

/// Writes down what it is sent, and which user sent it; counts the signs of life.
const SERVER: &str = r"
import http.server, json, os
beats = posts = 0
def put(name, text):
    open('/run/test/.new', 'w').write(text)
    os.rename('/run/test/.new', '/run/test/' + name)
class Server(http.server.BaseHTTPRequestHandler):
    def answer(self):
        self.send_response(200)
        self.send_header('Content-Length', '0')
        self.end_headers()
    def do_GET(self):
        global beats
        beats += 1
        put('beats', str(beats))
        self.answer()
    def do_POST(self):
        global posts
        posts += 1
        port = ':%04X' % self.client_address[1]
        uids = [l.split()[7] for l in open('/proc/net/tcp') if l.split()[1].endswith(port)]
        body = json.loads(self.rfile.read(int(self.headers['Content-Length'])))
        put('post-%d' % posts, json.dumps({'path': self.path, 'uids': uids, 'body': body}))
        self.answer()
http.server.HTTPServer(('127.0.0.1', 8099), Server).serve_forever()
";

/// A command that never ends and cannot be asked to.
const HANGS: &str = "#!/bin/bash\ntrap '' TERM INT\necho \"$GBSUP_TITLE\" >>/run/test/told\nsleep 7777\n";

const CONFIG: &str = r#"
[notify]
name = "pocket"
webhook = "http://127.0.0.1:8099/hook?token=s3cret"
command = ["/usr/local/bin/hangs"]
cooldown = "0s"
timeout = "1s"
heartbeat = "http://127.0.0.1:8099/beat/s3cret"
heartbeat_interval = "1s"
"#;

#[track_caller]
fn post(builder: &Builder, number: u32) -> Value {
    let file = format!("/run/test/post-{number}");
    builder.wait_file(&file);
    serde_json::from_str(&builder.sh(&format!("cat {file}"))).expect("JSON")
}

#[test]
fn people_are_told_once_and_nothing_waits_for_that() {
    let mut builder = Recipe::new(&["test-quick/t1", "test-fail/broken"])
        .config(CONFIG)
        .file("/opt/test/server.py", SERVER)
        .executable("/usr/local/bin/hangs", HANGS)
        .create();
    fs::create_dir_all(builder.on_volume("control")).expect("a directory on the volume");
    fs::write(builder.on_volume("control/pause"), "").expect("a file on the volume");
    builder.start();
    // Nobody listens yet: that is a warning, and no more.
    builder.wait_for("the first sign of life is refused", |status| {
        status
            .warnings
            .iter()
            .any(|warning| warning.contains("notify.heartbeat): 127.0.0.1 cannot be reached"))
    });
    builder.sh("mkdir -p /run/test");
    builder.serve("python3 /opt/test/server.py", 8099);
    fs::remove_file(builder.on_volume("control/pause")).expect("the file is there");
    builder.wait_file("/run/test/beats");
    builder.wait_for("it runs", |status| status.state == Mode::Running);

    let status = builder.wait_paused();
    assert!(builder.has("test-quick/t1-1"));
    let told = post(&builder, 1);
    assert_eq!(told["path"], "/hook?token=s3cret");
    assert_eq!(told["uids"], serde_json::json!(["65534"]), "sent without privileges");
    let body = &told["body"];
    assert_eq!(
        (&body["schema"], &body["kind"], &body["urgency"]),
        (&1.into(), &"paused".into(), &"high".into())
    );
    assert_eq!(body["title"], "pocket: paused, test-fail/broken-1 failed");
    assert!(body["text"].as_str().is_some_and(|text| text.contains("no coolant")), "{body}");
    assert_eq!(body["status"]["headline"], status.headline.as_str());

    // A failure holds it: no more signs of life, however long the command takes to be killed.
    builder.wait_for("the command is killed", |status| {
        let killed = "notify.command): it took longer than 1 s and was killed";
        status.warnings.iter().any(|warning| warning.contains(killed))
    });
    // What went out before is counted when another request, behind it, is answered; it takes two intervals to see that
    // nothing follows.
    let ask = "until ! pgrep -f '^gbsup: webhook'; do sleep 0.05; done; \
               python3 -c 'import urllib.request as r; r.urlopen(\"http://127.0.0.1:8099/\")' && cat /run/test/beats";
    let beats: u32 = builder.sh(ask).trim().parse().expect("a number");
    let later = builder.sh(&format!("sleep 2.5; {ask}"));
    assert_eq!(later.trim().parse(), Ok(beats + 1), "nobody but this test was there");
    assert_eq!(builder.exec(&["pgrep", "-f", "sleep 7777"]).code, 1, "its children are killed with it");

    // The same failure again is not told.
    builder.resume();
    builder.wait_paused();
    builder.repair();
    builder.resume();
    builder.wait_waiting();
    let body = &post(&builder, 2)["body"];
    assert_eq!((&body["kind"], &body["title"]), (&"recovered".into(), &"pocket: works again".into()));
    assert!(body["text"].as_str().is_some_and(|text| text.contains("test-fail/broken-1")), "{body}");
    assert!(builder.sh("cat /run/test/told").starts_with("pocket: paused, test-fail/broken-1 failed\n"));

    // Somebody tries it.
    let tried = builder.gbsup(&["notify", "--test"]).exited(1);
    assert!(tried.contains("notify.webhook: sent") && tried.contains("notify.heartbeat: sent"), "{tried}");
    assert!(tried.contains("notify.command: it took longer than 1 s and was killed"), "{tried}");
    assert_eq!(post(&builder, 3)["body"]["kind"], "test");

    let seen = builder.gbsup(&["config", "show"]).ok() + &builder.gbsup(&["status", "--json"]).ok();
    assert!(seen.contains("http://127.0.0.1/...") && !seen.contains("token="), "{seen}");
    assert!(!builder.logs().contains("token=") && !tried.contains("token="));
    assert_eq!(builder.status().state, Mode::Waiting);
}
