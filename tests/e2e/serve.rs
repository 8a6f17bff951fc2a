//! What clients are served: to one that has nothing but what `client-config` printed, by a process that comes back, and
//! by a container that can do nothing else.

use crate::support::{Builder, Client, Recipe, docker, image};

/// Asks a server for its index, in a container that has bash; true when it answers.
const ASK: &str = "exec 3<>/dev/tcp/127.0.0.1/8080 && printf 'GET /binpkgs/Packages HTTP/1.0\\r\\n\\r\\n' >&3 && \
                   grep -q '^CPV: test-quick/t1-1' <&3";

/// The servers that run in the container, each with its user.
fn servers(name: &str) -> Vec<String> {
    let top = docker(&["top", name, "-o", "pid,uid,args"]).ok();
    let servers = top.lines().filter(|line| line.contains("gbsup: web")).map(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        format!("{} {}", columns[0], columns[1])
    });
    servers.collect()
}

/// What setup did, without what it says may be done next.
fn without_advice(said: &str) -> String {
    said.split("What would be compiled").next().unwrap_or_default().to_owned()
}

#[test]
fn a_client_needs_what_is_printed_and_the_server_comes_back() {
    let mut builder = Builder::settled(&["test-quick/t1", "test-quick/t2"]);
    builder.wait_waiting();
    builder.sh(&format!("until {{ {ASK}; }} 2>/dev/null; do sleep 0.05; done"));
    builder.look_away();
    // Whoever looks recognises what runs, by the name that the kernel keeps and by the arguments.
    let top = docker(&["top", builder.name(), "-o", "pid,comm,args"]).ok();
    let shown = |line: &str| line.split_whitespace().skip(1).collect::<Vec<_>>().join(" ");
    let mut shown: Vec<_> = top.lines().skip(1).map(shown).filter(|line| line.contains("gbsup: ")).collect();
    shown.sort();
    let names = ["gbsup: init gbsup: init", "gbsup: supervis gbsup: supervisor", "gbsup: web gbsup: web"];
    assert_eq!(shown, names, "{top}");
    let served = servers(builder.name());
    assert!(served.len() == 1 && served[0].ends_with(" 65533"), "{served:?}");
    let served = &served[0];

    let guess = builder.gbsup(&["client-config"]).ok();
    assert!(guess.contains("which is a guess") && guess.contains(":8080/binpkgs\"\n"), "{guess}");
    let script = builder.gbsup(&["client-config", "--url", "http://127.0.0.1:8080"]).ok();
    let client = Client::of(&builder);
    let answers =
        format!("http://127.0.0.1:8080/binpkgs answers: release {}, 2 packages\n", builder.release());
    let said = without_advice(&client.paste(&script).ok());
    let wrote = "wrote /etc/portage/binrepos.conf/gbsup.conf\n";
    assert_eq!(said, format!("{wrote}added a block to /etc/portage/make.conf\n{answers}"));
    assert_eq!(client.sh("grep ^verify /etc/portage/binrepos.conf/gbsup.conf"), "verify-signature = false\n");
    let installed = client.sh("emerge --quiet --oneshot test-quick/t1 2>&1 && cat /var/log/emerge.log");
    assert!(installed.contains(") Merging Binary (test-quick/t1-1"), "{installed}");
    // Again it changes nothing, and where settings are directories it makes files of its own in them.
    let files = "cd /etc/portage && find . -type f -newer /tmp/before; cat make.conf";
    let before = client.sh(&format!("touch /tmp/before; {files}"));
    assert_eq!(client.paste(&script).ok(), answers);
    assert_eq!(client.sh(files), before);
    client.sh("cd /etc/portage && rm binrepos.conf/gbsup.conf && sed -i '/^# gbsup begins/,$d' make.conf && \
               mv make.conf x && mkdir make.conf && mv x make.conf/a && emerge --unmerge --quiet t1 >/dev/null");
    let said = without_advice(&client.paste(&script).ok());
    let index =
        "removed /var/cache/edb/binhost/127.0.0.1/binpkgs/Packages, Portage's copy of an older index\n";
    assert_eq!(said, format!("{wrote}wrote /etc/portage/make.conf/zz-gbsup.conf\n{index}{answers}"));
    let settings = client
        .sh("emerge --quiet --oneshot test-quick/t2 2>&1 && portageq envvar FEATURES EMERGE_DEFAULT_OPTS");
    assert!(settings.contains("getbinpkg") && settings.contains("--rebuilt-binaries=y"), "{settings}");
    assert_eq!(client.sh("grep -c 'Merging Binary (test-quick/t2-1' /var/log/emerge.log"), "1\n");

    // Killed, it is told and started again.
    let warning = "clients are not served: signal 9 ended the server; it is tried again after 1 s";
    builder.sh("pkill -9 -f '^gbsup: web'");
    builder.wait_for("it is told", |status| status.warnings.iter().any(|known| known == warning));
    let status = builder.wait_for("it serves", |status| status.warnings.iter().all(|known| known != warning));
    assert_eq!(status.warnings, Vec::<String>::new());
    builder.sh(ASK);
    // It ends with the supervisor, and the next one has one of its own.
    let second = servers(builder.name());
    builder.sh("pkill -9 -f '^gbsup: supervisor'");
    builder.look_away();
    builder.wait_waiting();
    builder.sh(&format!("until {{ {ASK}; }} 2>/dev/null; do sleep 0.05; done"));
    let third = servers(builder.name());
    assert!(third.len() == 1 && third != second && second[0] != *served, "{served} {second:?} {third:?}");

    // Another address, or none.
    let listen = |builder: &Builder, address: &str| {
        builder.sh(&format!("printf '[http]\\nlisten = \"{address}\"\\n' >/etc/gbsup/gbsup.toml"));
        builder.signal("HUP");
    };
    listen(&builder, "127.0.0.1:8081");
    builder.sh("until (exec 3<>/dev/tcp/127.0.0.1/8081) 2>/dev/null; do sleep 0.05; done");
    assert!(builder.exec(&["bash", "-c", ASK]).code != 0, "the old address is not served any more");
    // The second comes while the server of the first is being started, or just after.
    for port in [8082, 8083, 8084] {
        listen(&builder, &format!("127.0.0.1:{port}"));
    }
    builder.sh("until (exec 3<>/dev/tcp/127.0.0.1/8084) 2>/dev/null; do sleep 0.05; done");
    // Clients fetch sources from there where it says so.
    builder.sh("echo 'known to the Manifest only' | gzip -n >/var/lib/gbsup/distfiles/notfound-1.tar.gz");
    let fetch = "GENTOO_MIRRORS=http://127.0.0.1:8084 ebuild /var/db/repos/pocket/test-fail/notfound/notfound-1.ebuild fetch 2>&1";
    let refused = client.try_sh(fetch);
    assert!(refused.code != 0, "{refused:?}");
    builder.sh("printf '[http]\\nlisten = \"127.0.0.1:8084\"\\ndistfiles = true\\n' >/etc/gbsup/gbsup.toml");
    builder.signal("HUP");
    client.sh("until wget -q -O - http://127.0.0.1:8084/distfiles/layout.conf; do sleep 0.05; done");
    let fetched = client.sh(fetch);
    assert!(fetched.contains("http://127.0.0.1:8084/distfiles/notfound-1.tar.gz"), "{fetched}");
    assert!(!fetched.contains("Couldn't download"), "{fetched}");
    listen(&builder, "");
    builder.sh("while pgrep -f '^gbsup: web' >/dev/null; do sleep 0.05; done");
    builder.assert_tidy();

    // In a container of its own that can do nothing else: with the rights to become another user, and without any.
    let volume = format!("{}:/var/lib/gbsup:ro", builder.on_volume("").display());
    for (number, rights) in
        [&["--cap-add", "SETUID", "--cap-add", "SETGID"][..], &["--user", "65533:65533"]].iter().enumerate()
    {
        let name = format!("{}-alone-{number}", builder.name());
        let run =
            ["run", "--detach", "--name", &name, "--label", "gbsup.test", "--read-only", "--cap-drop", "ALL"];
        docker(&[&run, *rights, &["--network", "none", "--volume", &volume, image(), "serve"]].concat()).ok();
        let asked =
            format!("for n in {{1..200}}; do {{ {ASK}; }} 2>/dev/null && exit; sleep 0.05; done; exit 1");
        let asked = docker(&["exec", &name, "bash", "-c", &asked]);
        let (users, logs) = (servers(&name), docker(&["logs", &name]));
        docker(&["rm", "--force", &name]);
        assert_eq!(asked.code, 0, "{rights:?}: {logs:?}");
        assert!(users.len() == 1 && users[0].ends_with(" 65533"), "{users:?}");
        assert!(!logs.err.contains("warning"), "{logs:?}");
    }
}

#[test]
fn an_address_in_use_is_told() {
    let mut builder = Recipe::new(&["test-quick/t1"]).env("GBSUP_HTTP_LISTEN", "203.0.113.1:80").start();
    let words = "clients are not served: cannot listen on 203.0.113.1:80: Cannot assign requested address (os error 99); ";
    builder.wait_for("it is told", |status| status.warnings.iter().any(|known| known.starts_with(words)));
    builder.wait_waiting();
    builder.assert_tidy();
}

/// Asks the server in the container, and prints what it answers.
pub(crate) fn get(builder: &Builder, path: &str, accept: &str) -> String {
    builder.sh(&format!(
        "exec 3<>/dev/tcp/127.0.0.1/8080 && printf 'GET {path} HTTP/1.0\\r\\nAccept: {accept}\\r\\n\\r\\n' >&3 && cat <&3"
    ))
}

#[test]
fn the_page_is_there_from_the_beginning_and_says_what_the_commands_say() {
    let mut builder = Builder::with_world(&["test-quick/t1", "test-quick/t2"]);
    // Before anything is published.
    builder.sh("until (exec 3<>/dev/tcp/127.0.0.1/8080) 2>/dev/null; do sleep 0.05; done");
    let page = get(&builder, "/", "text/html");
    assert!(page.starts_with("HTTP/1.0 200") && page.contains("<h1>"), "{page}");
    builder.wait_waiting();
    builder.look_away();
    let headline = |text: &str| text.lines().find(|line| line.starts_with("waiting: ")).map(str::to_owned);
    // What was told last has arrived; within a minute both word the same.
    builder.sh(
        "until exec 3<>/dev/tcp/127.0.0.1/8080 && printf 'GET / HTTP/1.0\\r\\nAccept: text/plain\\r\\n\\r\\n' >&3 && \
         grep -q '^waiting: everything is up to date' <&3; do sleep 0.05; done",
    );
    let same = (0..3).any(|_| {
        let said = builder.gbsup(&["status"]).ok();
        headline(&get(&builder, "/", "text/plain")) == headline(&said)
    });
    assert!(same, "{}", get(&builder, "/", "text/plain"));
    let cycle = get(&builder, "/cycles/1", "*/*");
    assert!(cycle.contains("Cycle 1") && cycle.contains("t2-1"), "{cycle}");
    let numbers = get(&builder, "/metrics", "*/*");
    assert!(numbers.contains("\ngbsup_state{state=\"waiting\"} 1\n"), "{numbers}");
    assert!(get(&builder, "/feed/releases.atom", "*/*").contains("<entry>"));

    // A server that hangs holds up nothing, and knows what happened when it goes on.
    builder.sh("pkill -STOP -f '^gbsup: web'");
    builder.gbsup(&["sync"]).ok();
    builder.wait_cycle(2);
    builder.wait_waiting();
    builder.look_away();
    builder.sh("pkill -CONT -f '^gbsup: web'");
    builder.sh(
        "until exec 3<>/dev/tcp/127.0.0.1/8080 && printf 'GET /cycles/2 HTTP/1.0\\r\\n\\r\\n' >&3 && grep -q 'Cycle 2, done' <&3; \
         do sleep 0.05; done",
    );
    builder.assert_tidy();
}
