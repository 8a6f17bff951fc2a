//! Releases rehearsed as the clients that the builder knows: what it says, when it says it, and that nothing of theirs runs.

use std::time::{Duration, Instant};

use serde_json::Value;
use tar::{Builder as Tar, EntryType, Header};

use crate::clients::{add, offered, rehearsed, run};
use crate::support::{Builder, Client, Recipe, host_wait};

/// Writes down what people are told.
const TELLS: &str = "#!/bin/sh\necho \"$GBSUP_KIND: $GBSUP_TITLE\" >>/run/told\n";
const CONFIG: &str = "[notify]\ncommand = [\"/usr/local/bin/tells\"]\ncooldown = \"0s\"\nevents = [\"drift\"]\n[publish]\ntrees = [\"pocket\"]\n";
const FLAGS: &str = "EAPI=8\n\ninherit test-control\n\nDESCRIPTION=\"With flags\"\nSLOT=\"0\"\nKEYWORDS=\"amd64\"\nIUSE=\"+colour sound\"\n\n\
                     src_install() {\n\ttest_file\n}\n";

fn client_of(builder: &Builder) -> Client {
    let client = Client::of(builder);
    client.sh(&format!(
        "cd /var/db/repos/pocket/test-quick && mkdir -p flags && cat >flags/flags-1.ebuild <<'END'\n{FLAGS}END\n\
         printf 'test-quick/t1\\ntest-quick/flags\\n' >/var/lib/portage/world"
    ));
    client
}

#[test]
fn a_client_is_rehearsed_with_each_release_and_people_are_told_once() {
    let mut builder = Recipe::new(&["test-quick/t1", "test-quick/flags"])
        .in_tree("test-quick/flags/flags-1.ebuild", FLAGS)
        .executable("/usr/local/bin/tells", TELLS)
        .config(CONFIG)
        .start();
    builder.gbsup(&["pause"]).ok();
    let client = client_of(&builder);
    let script = builder.gbsup(&["client-config", "--url", "http://127.0.0.1:8080"]).ok();
    run(&client, &script, "setup").exited(0);
    // Before there is anything to rehearse.
    let said = add(builder.name(), &client, "laptop", &[]).exited(0);
    assert!(
        said.ends_with("laptop: nothing is published yet; it is rehearsed with the first release\n"),
        "{said}"
    );
    builder.gbsup(&["resume"]).ok();
    builder.wait_waiting();
    let first = builder.release();
    let is_of = |status: &gbsup::model::status::Status, release: &str| {
        status.clients.iter().any(|client| client.release.as_deref() == Some(release))
    };
    let status = builder.wait_for("it is rehearsed", |status| is_of(status, &first));
    assert_eq!(status.clients[0].text, "laptop: 2 from the release, nothing to compile");
    assert!(builder.gbsup(&["status"]).ok().contains("laptop: 2 from the release, nothing to compile"));

    // What the builder changes alone makes the client compile.
    builder.sh(
        "mkdir -p /etc/portage/package.use && echo 'test-quick/flags sound' >/etc/portage/package.use/own",
    );
    builder.gbsup(&["sync"]).ok();
    builder.wait_cycle(2);
    builder.wait_waiting();
    let second = builder.release();
    assert_ne!(first, second);
    let status = builder.wait_for("it is rehearsed again", |status| is_of(status, &second));
    let text = &status.clients[0].text;
    assert!(
        text.starts_with("laptop: 1 from the release, 1 compiled (test-quick/flags: USE -sound)"),
        "{text}"
    );
    assert_eq!(status.clients[0].compiled, 1);
    // How somebody's machine is configured is handed out to nobody: there are numbers.
    // The page hears of it a moment after the socket that was just asked.
    let numbers = "\"text\": \"laptop: 1 from the release, 1 compiled\"";
    let public = client.sh(&format!(
        "python3 - <<'END'\n\
         import time, urllib.request as u\n\
         for n in range(300):\n    \
             said = u.urlopen('http://127.0.0.1:8080/api/v1/status').read().decode()\n    \
             if '{numbers}' in said:\n        \
                 break\n    \
             time.sleep(0.1)\n\
         print(said)\nEND"
    ));
    assert!(public.contains(numbers) && !public.contains("sound"), "{public}");
    builder.wait_file("/run/told");
    assert!(builder.sh("cat /run/told").ends_with(": laptop would compile more\n"));
    let listed = builder.gbsup(&["clients"]).ok();
    assert!(
        listed.starts_with("laptop\t") && listed.contains(&format!("\t{second}\t1 from the release")),
        "{listed}"
    );
    let shown: Value =
        serde_json::from_str(&builder.gbsup(&["clients", "laptop", "--json"]).ok()).expect("JSON");
    assert_eq!(
        shown["fit"]["compile"][0]["add"][0],
        serde_json::json!({ "file": "/etc/portage/package.use", "line": "test-quick/flags -sound" })
    );
    // As the client says it of itself, and as it then is.
    let judged: Value =
        serde_json::from_str(&client.try_sh("sh /root/client.sh check --json").exited(5)).expect("JSON");
    assert_eq!(judged["compile"][0]["package"], shown["fit"]["compile"][0]["package"]);

    // Before going back people are told what that means; after it the client is rehearsed with what is offered then.
    let back = builder.gbsup(&["rollback"]);
    assert_eq!(back.code, 0, "{back:?}");
    let told = format!("with what release {first} offered, laptop: 2 from the release, nothing to compile\n");
    assert!(back.err.contains(&told), "{back:?}");
    let third = builder.release();
    builder.wait_for("it is rehearsed once more", |status| is_of(status, &third));
    assert_eq!(builder.sh("wc -l </run/told"), "1\n", "it got better");
    assert!(builder.gbsup(&["clients", "remove", "-n", "laptop"]).ok().contains("would be forgotten"));
    builder.gbsup(&["clients", "remove", "laptop"]).ok();
    builder.wait_for("it is forgotten", |status| status.clients.is_empty());
    builder.gbsup(&["clients", "laptop"]).exited(1);
    host_wait("nothing of it is left", || {
        builder.sh("ls -A /run/gbsup/clients; ls -A /var/lib/gbsup/clients").is_empty()
    });
    builder.look_away();
    builder.assert_tidy();
}

/// What runs where it is heeded, and does not come to an end by itself.
const PLANT: &str = "touch /tmp/canary; sleep 298";

/// Everything below /etc/portage by which a configuration has programs run, or other files read, while something is pretended.
fn plants() -> Vec<(String, String)> {
    let own = |path: &str, text: &str| (path.to_owned(), text.to_owned());
    let commands = [
        "FETCHCOMMAND",
        "RESUMECOMMAND",
        "FETCHCOMMAND_HTTP",
        "PORTAGE_TRUST_HELPER",
        "PORTAGE_IONICE_COMMAND",
        "PORTAGE_ELOG_COMMAND",
        "PORTAGE_BZIP2_COMMAND",
        "PORTAGE_BUNZIP2_COMMAND",
        "BINPKG_GPG_VERIFY_BASE_COMMAND",
        "PORTAGE_SYNC_COMMAND",
        "PYTHON",
        "BASH_ENV",
    ];
    let commands = commands.map(|name| format!("{name}=\"sh -c '{PLANT}'\"\n")).concat();
    let features = "FEATURES=\"getbinpkg binpkg-request-signature news strict webrsync-gpg\"\nPORTAGE_BINHOST=\"http://127.0.0.1:1/x\"\n";
    let words = format!(
        "USE=\"$({PLANT}) `{PLANT}`\"\nROOT=\"/tmp/elsewhere\"\nPORTAGE_TMPDIR=\"/var/tmp\"\nPKGDIR=\"/tmp\"\n"
    );
    vec![
        own("make.conf", &format!("{commands}{features}{words}")),
        own("bashrc", PLANT),
        own("modules", "portdbapi.auxdbmodule = evil.database\n"),
        own("evil.py", "import os\nos.system('touch /tmp/canary')\n"),
        own(
            "sets.conf",
            &format!(
                "[evil]\nclass = portage.sets.shell.CommandOutputSet\ncommand = sh -c '{PLANT}'\nworld-candidate = true\n"
            ),
        ),
        own(
            "repos.conf/x.conf",
            &format!(
                "[pocket]\nlocation = /var/db/repos/pocket\nsync-hooks-only-on-change = false\nsync-type = git\nsync-uri = ext::sh -c '{PLANT}'\nauto-sync = yes\n"
            ),
        ),
        own("postsync.d/x", &format!("#!/bin/sh\n{PLANT}\n")),
        own("repo.postsync.d/x", &format!("#!/bin/sh\n{PLANT}\n")),
        own("package.env", "*/* evil\n"),
        own("env/evil", &commands),
        own("env/test-quick/t1", PLANT),
        own("profile/profile.bashrc", PLANT),
        own("profile/package.bashrc", "*/* evil\n"),
        own("profile/bashrc/evil", PLANT),
        own("patches/test-quick/t1/x.patch", PLANT),
    ]
}

/// What would be there of a plant that ran.
const LEFT: &str =
    "ls /tmp/canary* /canary* 2>/dev/null; pgrep -f '[s]leep 298'; ls -A /run/gbsup/clients; :";

/// A capture of these, with a world and `machine.json`.
fn capture(files: &[(String, String)], options: &str, sets: &str) -> Vec<u8> {
    let machine = format!(
        r#"{{"schema": 1, "name": "x", "profile": "pocket:default", "emerge_default_opts": {options}}}"#
    );
    let rest = [
        ("world", "test-quick/t1\ntest-quick/flags\n"),
        ("world_sets", sets),
        ("machine.json", machine.as_str()),
        ("installed.json", r#"{"schema": 1, "packages": []}"#),
        ("left-out", ""),
    ];
    let files = files.iter().map(|(path, text)| (format!("portage/{path}"), text.as_str()));
    let mut tar = Tar::new(Vec::new());
    for (path, text) in files.chain(rest.map(|(path, text)| (path.to_owned(), text))) {
        let mut header = Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o755);
        tar.append_data(&mut header, path, text.as_bytes()).expect("into memory");
    }
    tar.into_inner().expect("into memory")
}

fn add_bytes(builder: &Builder, name: &str, tar: &[u8]) -> crate::support::Ran {
    crate::support::feed(&["exec", "-i", builder.name(), "gbsup", "clients", "add", name, "--json"], tar)
}

#[test]
fn nothing_of_a_client_runs_on_the_builder() {
    let mut builder = Recipe::new(&["test-quick/t1", "test-quick/flags"])
        .in_tree("test-quick/flags/flags-1.ebuild", FLAGS)
        // Whoever is somebody on the builder may read it.
        .file("/etc/secret.conf", "SECRET_OF_THE_BUILDER=\"hidden\"\n")
        .start();
    builder.wait_waiting();
    builder.look_away();

    // They are no blanks: where such a configuration is heeded, it runs.
    let client = Client::of(&builder);
    for (path, text) in plants().iter().filter(|(path, _)| path.starts_with("sets.conf")) {
        client.sh(&format!("cat >/etc/portage/{path} <<'END'\n{text}END"));
    }
    client.sh("echo @evil >/var/lib/portage/world_sets; timeout 10 emerge --pretend @evil >/dev/null 2>&1; test -e /tmp/canary");

    for (options, what) in [
        ("[]", "settings"),
        (r#"["--ask", "--config-root=/tmp", "--exclude", "x/y", "--sync-submodule"]"#, "options"),
    ] {
        let begun = Instant::now();
        let said = add_bytes(&builder, "evil", &capture(&plants(), options, ""));
        assert!(begun.elapsed() < Duration::from_secs(200), "{what}: something waits: {:?}", begun.elapsed());
        assert_eq!(said.code, 0, "{what}: {said:?}");
        let said: Value = serde_json::from_str(&said.out).expect("JSON");
        // With all of that left aside it is a client like any other.
        assert_eq!(said["fit"]["problem"], Value::Null, "{what}: {said}");
        assert_eq!(said["fit"]["binary"], 1, "{what}: {said}");
        // The one is patched there, and what the patch is was read by nobody.
        assert_eq!(said["fit"]["compile"][0]["why"], "patched here", "{what}: {said}");
        assert_eq!(builder.sh(LEFT), "", "{what}");
    }
    // A set that is a command is none here, and what a shell would run is no value of Portage's.
    let words = [("make.conf".to_owned(), format!("USE=\"$({PLANT}) `{PLANT}`\"\n"))];
    for (files, sets, is_known) in [(plants(), "@evil\n", false), (words.to_vec(), "", true)] {
        let begun = Instant::now();
        let said = add_bytes(&builder, "evil", &capture(&files, "[]", sets)).exited(0);
        let said: Value = serde_json::from_str(&said).expect("JSON");
        assert_eq!(said["fit"]["problem"].is_null(), is_known, "{said}");
        assert!(begun.elapsed() < Duration::from_secs(200), "something waits: {said}");
        assert_eq!(builder.sh(LEFT), "");
    }
    // Files of the builder do not come back in what Portage complains of.
    for path in ["/etc/secret.conf", "/var/lib/gbsup/state/state.json", "/etc/shadow", "/proc/1/environ"] {
        let files = [("make.conf".to_owned(), format!("source {path}\n"))];
        let said = add_bytes(&builder, "reader", &capture(&files, "[]", "")).exited(0);
        let fit: Value = serde_json::from_str::<Value>(&said).expect("JSON")["fit"].take();
        assert!(
            fit["problem"].is_string() && !said.contains("hidden") && !said.contains("SECRET_OF"),
            "{path}: {said}"
        );
    }
    // What is no capture is refused, and takes the place of nothing.
    let before = builder.gbsup(&["clients", "evil", "--json"]).ok();
    let mut linked = Tar::new(Vec::new());
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Symlink);
    header.set_size(0);
    linked.append_link(&mut header, "portage/make.conf", "/etc/shadow").expect("into memory");
    let cut = capture(&plants(), "[]", "");
    for (tar, why) in [
        (
            linked.into_inner().expect("into memory"),
            "is a link, and a capture has files and directories alone",
        ),
        (cut[..cut.len() / 2].to_vec(), "copied to its end"),
        (b"<html>".to_vec(), "this is not a capture of a client: "),
        (Vec::new(), "it is empty"),
    ] {
        let refused = add_bytes(&builder, "evil", &tar);
        assert!(refused.code == 1 && refused.err.contains(why), "{why}: {refused:?}");
    }
    assert_eq!(builder.gbsup(&["clients", "evil", "--json"]).ok(), before);
    for name in ["../x", ".x", "a/b", ""] {
        assert_eq!(builder.gbsup(&["clients", "add", name, "/dev/null"]).code, 2, "{name}");
    }
    // It goes on as ever, also where nobody has read an ebuild yet.
    builder.sh("rm -rf /var/cache/edb/dep/*");
    let client = client_of(&builder);
    run(&client, &offered(&client), "setup").exited(0);
    assert_eq!(rehearsed(builder.name(), &client, "laptop")["fit"]["compile"], serde_json::json!([]));
    builder.assert_tidy();
}

/// What the child could do that reads the configuration of a client, tried by a script in its place: before it has given up programs, and
/// after.
const TRIES: &str = r#"
import ctypes, os, socket, sys
def can(what, way):
    try:
        way()
        print(what)
    except OSError:
        pass
can("read secrets", lambda: open("/etc/shadow"))
can("read the configuration", lambda: os.listdir("/etc/portage"))
can("read the volume", lambda: os.listdir("/var/lib/gbsup"))
can("read processes", lambda: open("/proc/1/environ"))
can("write elsewhere", lambda: open("/tmp/x", "w"))
can("write its own", lambda: open("own", "w").close())
os.chmod("own", 0o755)
can("run its own", lambda: os.posix_spawn("own", ["own"], {}))
can("run the system's", lambda: os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0))
class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]
code = bytes.fromhex(sys.argv[2])
libc = ctypes.CDLL(None)
print("given up", libc.prctl(22, 2, ctypes.byref(Program(len(code) // 8, code)), 0, 0), os.getresuid(), os.getgroups())
can("run the system's", lambda: os.posix_spawn("/bin/true", ["true"], {}))
can("become another", lambda: os.execv("/bin/true", ["true"]))
can("connect", lambda: socket.socket())
can("change the network", lambda: socket.socket(socket.AF_NETLINK))
can("speak to itself", lambda: socket.socketpair())
"#;

#[test]
fn a_child_that_reads_what_strangers_wrote_can_do_nothing_else() {
    let mut builder = Builder::settled(&["test-quick/t1"]);
    builder.wait_waiting();
    builder.look_away();
    let place = "/run/gbsup/clients/tries";
    builder.sh(&format!("mkdir -p {place} && chown 65532:65532 {place}"));
    let tried = crate::support::feed(
        &["exec", "-i", builder.name(), "gbsup", "rehearse", place, "/var/db/repos/pocket"],
        TRIES.as_bytes(),
    );
    builder.sh(&format!("rm -r {place}"));
    let can: Vec<_> = tried.out.lines().collect();
    let user = "given up 0 (65532, 65532, 65532) []";
    assert_eq!(can, ["write its own", "run the system's", user, "speak to itself"], "{tried:?}");
    builder.assert_tidy();
}
