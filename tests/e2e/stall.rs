//! Builds and syncs that give no sign of life.

use gbsup::model::failure::Class;

use crate::support::Recipe;

/// A package of the test repository that does this when it is compiled.
fn ebuild(compile: &str) -> String {
    format!(
        "EAPI=8\ninherit test-control\nDESCRIPTION=\"For a test\"\nSLOT=\"0\"\n\
         src_compile() {{\n{compile}\n}}\nsrc_install() {{\n\ttest_file\n}}\n"
    )
}

#[test]
fn what_hangs_is_stopped_and_what_works_is_let_alone() {
    let config = "[build]\nstall = \"3s\"\njobs = 1\n[sync]\nretries = []\non_failure = \"pause\"\n";
    let mut builder = Recipe::settled(&["test-quick/t1"]).config(config).start();
    builder.wait_waiting();

    // Of what works one prints now and then, and one uses the processor without a word.
    let once = "[[ -e /run/test/hung ]] && return\ntouch /run/test/hung\nsleep infinity";
    let talks = "for n in {1..25}; do echo $n; sleep 0.2; done";
    let works = "local end=$(( SECONDS + 5 )); while (( SECONDS < end )); do :; done";
    for (name, compile) in [("once", once), ("talks", talks), ("works", works), ("ever", "sleep infinity")] {
        builder.add_ebuild("test-slow", &format!("{name}-1"), &ebuild(compile));
    }
    builder.set_world(&["test-slow/once", "test-slow/talks", "test-slow/works"]);
    builder.gbsup(&["sync"]).ok();
    builder.wait_cycle(2);
    builder.wait_for("it is tried again", |status| {
        status
            .remedies
            .iter()
            .any(|told| told == "test-slow/once-1 stalled; trying again now (attempt 2 of 2)")
    });
    let status = builder.wait_waiting();
    assert_eq!(status.remedies, ["test-slow/once-1 stalled at first; attempt 2 worked"]);
    let history = builder.gbsup(&["history", "--json"]).ok();
    let history: serde_json::Value = serde_json::from_str(&history).expect("JSON");
    let remedy = &history[0]["remedies"][0];
    assert_eq!(
        (remedy["class"].as_str(), remedy["packages"][0].as_str(), remedy["outcome"].as_str()),
        (Some("stalled"), Some("test-slow/once-1"), Some("done")),
        "{history:#}"
    );
    let mut compiled = builder.compiled();
    compiled.sort();
    let times = |package: &str| compiled.iter().filter(|built| *built == package).count();
    assert_eq!(
        (times("test-slow/once-1"), times("test-slow/talks-1"), times("test-slow/works-1")),
        (2, 1, 1)
    );

    builder.set_world(&["test-slow/ever"]);
    builder.gbsup(&["sync"]).ok();
    builder.wait_cycle(3);
    let status = builder.wait_paused();
    let failures = status.pause.as_ref().map(|pause| pause.failures.clone()).unwrap_or_default();
    let [failure] = failures.as_slice() else { panic!("{failures:#?}") };
    assert_eq!(failure.class, Class::Stalled, "{failure:#?}");
    assert!(
        status.headline.contains("test-slow/ever-1 failed in compile: it printed nothing"),
        "{}",
        status.headline
    );
    let seen = failure.evidence.join("\n");
    assert!(seen.contains("sleep infinity") && seen.contains("tried again once, without success"), "{seen}");
    let log = builder.step_log(3, "build");
    assert!(
        log.contains("ebuild.sh compile") && log.contains("-> /var/lib/gbsup/log/test-slow:ever-1:"),
        "{log}"
    );
    assert!(!builder.sh("ps -e -o args").contains("sleep infinity"), "it is gone");

    // A server that takes the call and never answers.
    builder.sh(
        "setsid python3 -c 'import socket, time; s = socket.create_server((\"127.0.0.1\", 9418)); time.sleep(999)' \
         >/dev/null 2>&1 & until (exec 3<>/dev/tcp/127.0.0.1/9418) 2>/dev/null; do sleep 0.05; done; \
         sed -i 's|^\\[sync\\]|&\\ncommand = [\"git\", \"ls-remote\", \"git://127.0.0.1/tree\"]|' /etc/gbsup/gbsup.toml",
    );
    builder.signal("HUP");
    builder.gbsup(&["sync"]).ok();
    builder.wait_cycle(4);
    let status = builder.wait_paused();
    let why = "paused: git printed nothing and used no processor for 3 s, so it was stopped";
    assert!(status.headline.starts_with(why), "{}", status.headline);
    assert_eq!(status.pause.map(|pause| pause.failures[0].class), Some(Class::Sync));
}
