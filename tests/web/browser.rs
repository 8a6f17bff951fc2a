//! The first page in a real browser: that it fits, reads and follows, light and dark, on a phone and on a desk.
//!
//! The browser is driven by its own protocol over two pipes (`--remote-debugging-pipe`): messages of JSON, each with a zero byte behind it.
//! `GBSUP_TEST_SHOTS=directory` keeps a picture of each.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::builder::{building, hostile, paused, told, waiting};
use crate::server::Server;

pub(crate) struct Browser {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    session: String,
    sent: u64,
    _profile: tempfile::TempDir,
}

impl Drop for Browser {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Browser {
    pub(crate) fn open() -> Self {
        let profile = tempfile::tempdir().unwrap();
        // The two descriptors that the protocol has, from those that a child has.
        let script = "exec chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run \
                      --disable-background-networking --disable-component-update --hide-scrollbars \
                      --remote-debugging-pipe --user-data-dir=\"$1\" about:blank 3<&0 4>&1 </dev/null >/dev/null 2>&1";
        let child = Command::new("sh")
            .args(["-c", script, "sh"])
            .arg(profile.path())
            .env("HOME", profile.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut child = child.unwrap();
        let (to, from) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut browser = Self { child, to, from, session: String::new(), sent: 0, _profile: profile };
        let target = browser.ask("Target.createTarget", &json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = browser.ask("Target.attachToTarget", &attach);
        session["sessionId"].as_str().unwrap().clone_into(&mut browser.session);
        browser.ask("Page.enable", &json!({}));
        browser
    }

    fn message(&mut self) -> Value {
        let mut message = Vec::new();
        self.from.read_until(0, &mut message).unwrap();
        assert!(message.pop() == Some(0), "this test needs a browser: apt-get install chromium");
        serde_json::from_slice(&message).unwrap()
    }

    /// Sends a command and waits for its result; what happens meanwhile is passed over.
    fn ask(&mut self, method: &str, parameters: &Value) -> Value {
        self.sent += 1;
        let mut message = json!({ "id": self.sent, "method": method, "params": parameters });
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        self.to.write_all(format!("{message}\0").as_bytes()).unwrap();
        loop {
            let mut answer = self.message();
            if answer["id"] == self.sent {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].take();
            }
        }
    }

    /// What an expression comes to in the page, once it has come to something.
    pub(crate) fn eval(&mut self, expression: &str) -> Value {
        let parameters = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let mut result = self.ask("Runtime.evaluate", &parameters);
        assert!(result["exceptionDetails"].is_null(), "{expression}: {result}");
        result["result"]["value"].take()
    }

    /// Opens a page and waits until all of it is there.
    pub(crate) fn visit(&mut self, url: &str) {
        let begun = self.ask("Page.navigate", &json!({ "url": url }));
        assert!(begun["errorText"].is_null(), "{begun}");
        let loaded = "new Promise(done => document.readyState === 'complete' ? done(true) : addEventListener('load', () => done(true)))";
        while self.eval("location.href") != url {}
        assert_eq!(self.eval(loaded), true);
    }

    pub(crate) fn look(&mut self, scheme: &str, width: u32) {
        let size = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.ask("Emulation.setDeviceMetricsOverride", &size);
        let scheme = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.ask("Emulation.setEmulatedMedia", &scheme);
    }

    /// Keeps a picture of the whole page, if that is wanted.
    pub(crate) fn shoot(&mut self, name: &str) {
        let Some(place) = std::env::var_os("GBSUP_TEST_SHOTS") else { return };
        let taken = self.ask("Page.captureScreenshot", &json!({ "captureBeyondViewport": true }));
        fs::create_dir_all(&place).unwrap();
        let picture = decoded(taken["data"].as_str().unwrap());
        fs::write(Path::new(&place).join(format!("{name}.png")), picture).unwrap();
    }
}

/// Base64 (RFC 4648, section 4).
fn decoded(text: &str) -> Vec<u8> {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b'=').map(value).collect();
    let bytes = digits.chunks(4).flat_map(|four| {
        let bits =
            four.iter().fold(0_u32, |bits, digit| bits << 6 | u32::from(*digit)) << (6 * (4 - four.len()));
        bits.to_be_bytes()[1..four.len()].to_vec()
    });
    bytes.collect()
}

/// A hue lighter than the middle.
const LIGHT: &str =
    "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).every(part => part > 127)";

#[test]
fn the_first_page_fits_reads_and_follows() {
    let mut server = Server::of_builder(&[]);
    let url = format!("http://{}/", server.address);
    let mut browser = Browser::open();
    let states =
        [("building", building(11)), ("paused", paused()), ("waiting", waiting()), ("hostile", hostile())];
    for (name, status) in &states {
        server.tell(&told(status));
        for message in crate::builder::around(name) {
            server.tell(&message);
        }
        server.until(&status.headline[..20]);
        for (scheme, widths) in [("light", &[320, 400, 1400, 3840][..]), ("dark", &[400, 1400])] {
            for width in widths.iter().copied() {
                browser.look(scheme, width);
                browser.visit(&url);
                let overflow = browser
                    .eval("document.documentElement.scrollWidth - document.documentElement.clientWidth");
                assert_eq!(overflow, 0, "{name} at {width}: it scrolls sideways");
                let headline = browser.eval("document.querySelector('h1').innerText");
                if *name == "hostile" {
                    assert_ne!(browser.eval("document.title"), "evil");
                } else {
                    assert_eq!(headline, status.headline.as_str(), "{name} at {width}");
                }
                assert_eq!(browser.eval(LIGHT), scheme == "light", "{name}, {scheme}");
                if width == 400 || width == 1400 {
                    browser.shoot(&format!("{name}-{scheme}-{width}"));
                }
            }
        }
    }

    // What happens arrives in the page that is open: it was not loaded again, and what a person opened stays open.
    browser.look("light", 1400);
    server.tell(&told(&paused()));
    server.until(&paused().headline);
    browser.visit(&url);
    browser.eval("window.opened = 'by a person'; document.querySelector('details').open = true");
    server.tell(&told(&paused_later()));
    let arrived = "new Promise(done => { const look = () => document.querySelector('h1').innerText.includes('42 of 57 built') \
                   ? done(window.opened) : requestAnimationFrame(look); look(); })";
    assert_eq!(browser.eval(arrived), "by a person");
    assert_eq!(browser.eval("document.querySelector('details').open"), true);
    assert_eq!(browser.eval("document.title").as_str().map(|title| title.contains("42 of 57")), Some(true));
    // Whoever cannot see it is told when it becomes something else, and not each time a number changes.
    assert_eq!(browser.eval("document.getElementById('said').textContent"), "");
    server.tell(&told(&waiting()));
    let said = "new Promise(done => { const look = () => { const said = document.getElementById('said').textContent; \
                said ? done(said) : requestAnimationFrame(look); }; look(); })";
    assert!(browser.eval(said).as_str().unwrap().starts_with("waiting: "));
    assert_eq!(browser.eval("window.opened"), "by a person");

    // The other pages fit as well.
    for path in ["cycles/", "cycles/118", "plan/", "releases/", &format!("releases/{}/", crate::server::NEW)]
    {
        for (scheme, width) in [("light", 1400), ("dark", 320), ("dark", 400)] {
            browser.look(scheme, width);
            browser.visit(&format!("{url}{path}"));
            let overflow =
                browser.eval("document.documentElement.scrollWidth - document.documentElement.clientWidth");
            assert_eq!(overflow, 0, "{path} at {width}: it scrolls sideways");
            assert_ne!(browser.eval("document.querySelector('h1').innerText"), "");
            browser.shoot(&format!("{}-{scheme}-{width}", path.trim_end_matches('/').replace('/', "-")));
        }
    }
    // Nothing that was on any page was refused by the policy of the page, or could not be loaded.
    browser.visit(&url);
    let loaded = "performance.getEntriesByType('resource').filter(one => one.responseStatus >= 400).map(one => one.name).join()";
    assert_eq!(browser.eval(loaded), "");
}

#[test]
fn an_open_page_counts() {
    let mut server = Server::of_builder(&[]);
    let mut status = building(11);
    status.jobs[0].elapsed = 57;
    status.jobs[0].estimate = Some(100);
    status.headline = status.headline.replace("41 min of about 1 h 10 min", "57 s of about 1 min");
    server.tell(&told(&status));
    server.until(&status.headline);
    let mut browser = Browser::open();
    browser.visit(&format!("http://{}/", server.address));
    // The builder tells nothing more: the first page is as it will be told when it is asked for again.
    let counted = "new Promise(done => { const look = () => { \
                   const head = document.querySelector('h1').innerText; \
                   const [job, line] = ['#jobs td [data-age]', '#jobs [data-of]'].map(one => document.querySelector(one)); \
                   head.includes('(compile, 1 min of about 1 min)') && job.innerText === '1 min' \
                   ? done(line.getAttribute('width') >= 600) : requestAnimationFrame(look); }; look(); })";
    assert_eq!(browser.eval(counted), true);
}

#[test]
fn several_builders_fit_and_are_followed() {
    let mut others: Vec<_> = (0..3).map(|_| Server::of_builder(&[])).collect();
    for (other, status) in others.iter_mut().zip([paused(), waiting(), hostile()]) {
        other.tell(&told(&status));
        other.until(&status.headline[..8]);
    }
    // Nobody listens at the discard port.
    let peers: Vec<_> = others.iter().map(|other| format!("http://{}", other.address)).collect();
    let peers = format!("{} http://127.0.0.1:9", peers.join(" "));
    let mut server =
        Server::of_builder(&[("GBSUP_HTTP_PEERS", &peers), ("GBSUP_NOTIFY_NAME", "workstation")]);
    server.tell(&told(&building(11)));
    server.until("running: ");
    let url = format!("http://{}/farm", server.address);
    let mut browser = Browser::open();
    for (scheme, widths) in [("light", &[320, 400, 1400, 3840][..]), ("dark", &[400, 1400])] {
        for width in widths.iter().copied() {
            browser.look(scheme, width);
            browser.visit(&url);
            let overflow =
                browser.eval("document.documentElement.scrollWidth - document.documentElement.clientWidth");
            assert_eq!(overflow, 0, "at {width}: it scrolls sideways");
            assert_eq!(browser.eval("document.querySelectorAll('tbody').length"), 5);
            browser.shoot(&format!("farm-{scheme}-{width}"));
        }
    }
    assert_ne!(browser.eval("document.title"), "evil");
    // What happens here is on the page as it happens, and what happens elsewhere soon after.
    browser.eval("window.opened = 'by a person'");
    server.tell(&told(&waiting()));
    others[0].tell(&told(&building(12)));
    let arrived = "new Promise(done => { const states = () => [...document.querySelectorAll('tbody .state')].map(one => one.innerText).join(); \
                   const look = () => states().startsWith('waiting,running') ? done(window.opened) : requestAnimationFrame(look); look(); })";
    assert_eq!(browser.eval(arrived), "by a person");
}

/// The same pause when one package more was built by hand.
fn paused_later() -> gbsup::model::status::Status {
    let mut status = paused();
    status.headline = status.headline.replace("41 of 57 built", "42 of 57 built");
    status.progress.done = 42;
    status
}
