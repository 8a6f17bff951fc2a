//! Several builders: they find each other by one name, and one is the mirror of the others.

use serde_json::Value;

use crate::support::{Builder, Recipe, docker};

/// A network of containers, in which names are looked up as in a swarm. Nothing leads out of it.
struct Network(String);

impl Network {
    fn make(what: &str) -> Self {
        let name = format!("gbsup-e2e-{what}-{}", std::process::id());
        docker(&["network", "create", "--internal", "--label", "gbsup.test", &name]).ok();
        Self(name)
    }

    /// In it, under the name that all have, and told of it.
    fn join(&self, recipe: Recipe, name: &str) -> Recipe {
        recipe
            .args(&["--network", &self.0, "--network-alias", "builders"])
            .env("GBSUP_HTTP_PEERS", "http://builders:8080")
            .env("GBSUP_NOTIFY_NAME", name)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        docker(&["network", "rm", &self.0]);
    }
}

/// What one is told of all, once this is so.
fn until(ask: impl Fn() -> String, is_so: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    for _ in 0..600 {
        let mut farm: Value = serde_json::from_str(&ask()).expect("JSON");
        let Value::Array(builders) = farm["builders"].take() else { panic!("{farm}") };
        if is_so(&builders) {
            return builders;
        }
    }
    panic!("{}", ask());
}

fn by_command(builder: &Builder) -> impl Fn() -> String {
    || builder.gbsup(&["status", "--all", "--json"]).ok()
}

fn by_page(builder: &Builder) -> impl Fn() -> String {
    || {
        let ask = "exec 3<>/dev/tcp/127.0.0.1/8080 && printf 'GET /api/v1/farm HTTP/1.0\\r\\n\\r\\n' >&3 && cat <&3";
        let answer = builder.sh(ask);
        answer.split_once("\r\n\r\n").expect("an answer").1.to_owned()
    }
}

#[test]
fn builders_find_each_other_by_one_name() {
    let network = Network::make("farm");
    let mut first = network.join(Recipe::settled(&["test-quick/t1"]), "first").start();
    first.wait_waiting();
    let world = Recipe::beside(&first).no_volume().world(&["test-quick/t1"]);
    let mut second = network.join(world, "second").start();
    second.wait_waiting();
    second.gbsup(&["pause"]).ok();
    second.wait_paused_by_operator();

    for (builder, state, other) in [(&first, "waiting", "paused"), (&second, "paused", "waiting")] {
        let both = |all: &[Value]| all.len() == 2 && all[1]["status"].is_object() && all[1]["away"].is_null();
        for all in [until(by_command(builder), both), until(by_page(builder), both)] {
            assert_eq!(
                (&all[0]["status"]["state"], &all[1]["status"]["state"]),
                (&state.into(), &other.into())
            );
        }
    }
    assert_eq!(first.sh("pgrep -cf '^gbsup: peers'"), "1\n");

    // The second goes, and with it its address.
    second.stop();
    let gone = |all: &[Value]| all.len() == 2 && all[1]["away"].is_object();
    let all = until(by_page(&first), gone);
    assert_eq!(all[1]["status"]["state"], "paused");
    until(by_page(&first), |all| all[1]["away"]["why"] == "builders does not lead to it any more");
    // Who asks for the first time has nobody to miss.
    until(by_command(&first), |all| all.len() == 1);
    first.assert_tidy();
}

#[test]
fn sources_come_from_another_builder_and_from_nowhere_else() {
    let network = Network::make("sources");
    let mut first = Recipe::settled(&["test-quick/t1"])
        .args(&["--network", &network.0, "--network-alias", "first"])
        .env("GBSUP_HTTP_DISTFILES", "true")
        .start();
    first.wait_waiting();
    first.sh("ebuild /var/db/repos/pocket/app-text/tree/tree-2.1.0.ebuild fetch");
    // It has the tree and no source, and says where it asks for some.
    let ask = "#!/bin/sh\necho \"$2\" >>/var/tmp/asked && exec wget -q -O \"$1\" \"$2\"\n";
    let mut second = Recipe::beside(&first)
        .no_volume()
        .world(&["app-text/tree"])
        .args(&["--network", &network.0, "--tmpfs", "/srv/distfiles"])
        .env("GENTOO_MIRRORS", "http://first:8080")
        .env("FETCHCOMMAND", "ask \"${DISTDIR}/${FILE}\" \"${URI}\"")
        .executable("/usr/local/bin/ask", ask)
        .start();
    second.wait_waiting();
    assert!(second.has("app-text/tree-2.1.0"));
    let asked =
        ["layout.conf", "tree_2.1.0.orig.tar.gz"].map(|name| format!("http://first:8080/distfiles/{name}\n"));
    assert_eq!(second.sh("cat /var/tmp/asked"), asked.concat());
    second.assert_tidy();
}
