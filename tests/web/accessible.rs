//! Each page, looked at by axe-core in a real browser: `scripts/axe`.

use std::fs;

use serde_json::Value;

use crate::browser::Browser;
use crate::browser_states::{degraded, first_build, just_started};
use crate::builder::{around, building, hostile, paused, refused, told, waiting};
use crate::logs::{FIREFOX, failing, write};
use crate::packages::stocked;
use crate::server::{NEW, OLD, Server};

/// What axe-core finds on the page that is open; what is a matter of taste is left out.
const FINDINGS: &str = "axe.run({ resultTypes: ['violations'] }).then(found => found.violations \
                        .filter(one => ['serious', 'critical'].includes(one.impact)) \
                        .map(one => `${one.id}: ${one.help}: ${one.nodes.map(node => node.target.join(' ')).slice(0, 5).join(', ')}`))";

#[test]
#[ignore = "it needs axe-core: scripts/axe"]
fn pages_are_accessible() {
    let file = std::env::var_os("GBSUP_TEST_AXE").expect("GBSUP_TEST_AXE names an axe.min.js: scripts/axe");
    let axe = fs::read_to_string(file).unwrap();
    let mut other = Server::of_builder(&[]);
    other.tell(&told(&paused()));
    other.until("paused: ");
    let peers = format!("http://{} http://127.0.0.1:9", other.address);
    let mut server = Server::of_builder(&[("GBSUP_HTTP_PEERS", &peers)]);
    let mut browser = Browser::open();
    let mut found = Vec::new();
    let mut look = |server: &Server, name: &str, path: &str| {
        for (scheme, width) in [("light", 1400), ("dark", 1400), ("light", 400), ("dark", 400)] {
            browser.look(scheme, width);
            browser.visit(&format!("http://{}{path}", server.address));
            browser.eval(&format!("{axe}; true"));
            let Value::Array(findings) = browser.eval(FINDINGS) else {
                panic!("{path}: axe-core says nothing")
            };
            found.extend(findings.iter().map(|one| format!("{path} ({name}, {scheme}, {width}): {one}")));
        }
    };
    for (name, status) in
        [("building", building(11)), ("paused", paused()), ("waiting", waiting()), ("hostile", hostile())]
    {
        server.tell(&told(&status));
        for message in around(name) {
            server.tell(&message);
        }
        server.until(&status.headline[..20]);
        look(&server, name, "/");
    }
    for path in ["/plan/", "/cycles/", "/cycles/118", "/farm", "/nothing/here"] {
        look(&server, "hostile", path);
    }
    // Before there is anything, and where there is nobody any more.
    for (name, mut server, status) in [
        ("started", Server::of_builder(&[]), just_started()),
        ("first", Server::of_builder(&[]), first_build()),
        ("degraded", Server::of_builder(&[]), degraded()),
        ("refused", Server::bare(), refused("paused: the volume cannot be used: it is mounted read-only")),
    ] {
        server.tell(&told(&status));
        server.until(&status.headline);
        for path in ["/", "/plan/", "/nothing/here"] {
            look(&server, name, path);
        }
    }
    look(&Server::start(), "alone", "/");
    let stocked = stocked();
    let (release, compared) = (format!("/releases/{NEW}/"), format!("/releases/{OLD}...{NEW}/"));
    for path in
        ["/packages/", "/packages/?q=li", "/packages/media-libs/libfoo", "/releases/", &release, &compared]
    {
        look(&stocked, "stocked", path);
    }
    let logs = Server::of_builder(&[("GBSUP_HTTP_LOGS", "true")]);
    write(&logs, &failing());
    for path in ["/logs/".to_owned(), format!("/logs/{FIREFOX}?error")] {
        look(&logs, "logs", &path);
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    // It would have found what is wrong.
    browser.eval("document.querySelector('main').innerHTML += '<img src=\"/icon.svg\"><a href=\"/\"></a>'");
    let wrong = browser.eval(FINDINGS).to_string();
    assert!(wrong.contains("image-alt: ") && wrong.contains("link-name: "), "{wrong}");
}
