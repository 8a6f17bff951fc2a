//! `client.sh check` and `capture` on clients, and what a builder makes of that.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::{Builder, Client, Ran, Recipe};

/// The script as the server offers it.
pub(crate) fn offered(client: &Client) -> String {
    client.sh("python3 -c 'import urllib.request as u; print(u.urlopen(\"http://127.0.0.1:8080/client.sh\").read().decode(), end=\"\")'")
}

/// Runs the script as a file of the client.
pub(crate) fn run(client: &Client, script: &str, verb: &str) -> Ran {
    client.sh(&format!("cat >/root/client.sh <<'END OF SCRIPT'\n{script}END OF SCRIPT"));
    client.try_sh(&format!("cd /tmp && sh /root/client.sh {verb} 2>&1"))
}

/// A package with flags, in the tree of the builder and of its clients; a newer version is for whoever accepts it.
pub(crate) const FLAGS: [(&str, &str); 2] = [("1", "amd64"), ("2", "~amd64")];

pub(crate) fn flags(keywords: &str) -> String {
    format!(
        "EAPI=8\n\ninherit test-control\n\nDESCRIPTION=\"With flags\"\nSLOT=\"0\"\nKEYWORDS=\"{keywords}\"\nIUSE=\"+colour cpu_flags_x86_vaes sound\"\n\n\
         src_install() {{\n\ttest_file\n}}\n"
    )
}

pub(crate) fn client_with_flags(builder: &Builder, older: bool) -> Client {
    let client = if older { Client::older(builder) } else { Client::of(builder) };
    for (version, keywords) in FLAGS {
        let text = flags(keywords);
        client.sh(&format!(
            "cd /var/db/repos/pocket/test-quick && mkdir -p flags && cat >flags/flags-{version}.ebuild <<'END'\n{text}END"
        ));
    }
    client.sh("printf 'test-quick/t1\\ntest-quick/flags\\n' >/var/lib/portage/world");
    client
}

/// What the newest emerge of a client did, by its log: what it compiled, and what it installed as it was offered.
pub(crate) fn done(client: &Client) -> (BTreeSet<String>, BTreeSet<String>) {
    let log = client.sh("cat /var/log/emerge.log 2>/dev/null || :");
    let named = |what: &str| {
        let lines = log
            .lines()
            .filter_map(move |line| line.split_once(what)?.1.split("::").next().map(str::to_owned));
        lines.collect::<BTreeSet<_>>()
    };
    (named(") Compiling/Merging ("), named(") Merging Binary ("))
}

/// What the builder says of a client that is added by its capture.
pub(crate) fn rehearsed(builder: &str, client: &Client, name: &str) -> Value {
    let added = add(builder, client, name, &["--json"]).exited(0);
    serde_json::from_str(&added).unwrap_or_else(|error| panic!("{error}: {added}"))
}

/// Adds a client by its capture.
pub(crate) fn add(builder: &str, client: &Client, name: &str, more: &[&str]) -> Ran {
    client.sh("sh /root/client.sh capture >/root/capture.tar 2>/dev/null");
    let place = tempfile::tempdir().expect("a directory");
    let tar = place.path().join("capture.tar").display().to_string();
    crate::support::docker(&["cp", &format!("{}:/root/capture.tar", client.name()), &tar]).ok();
    crate::support::docker(&["cp", &tar, &format!("{builder}:/tmp/{name}.tar")]).ok();
    let on_builder = ["exec", builder, "gbsup", "clients", "add", name, &format!("/tmp/{name}.tar")];
    let ran = crate::support::docker(&[&on_builder, more].concat());
    crate::support::docker(&["exec", builder, "rm", &format!("/tmp/{name}.tar")]).ok();
    ran
}

#[test]
fn the_page_shows_what_a_client_sees() {
    let world = ["test-quick/t1", "test-quick/t3", "dev-libs/libpcre2"];
    let mut builder = Builder::with_world(&world);
    builder.wait_waiting();
    builder.look_away();
    let client = Client::of(&builder);
    client.sh(&format!("printf '%s\\n' {} >/var/lib/portage/world", world.join(" ")));
    // It has the builder's network, and with it the builder's names.
    client.sh("echo 127.0.0.1 builder.example >>/etc/hosts");
    let script = offered(&client).replace("127.0.0.1", "builder.example");
    run(&client, &script, "setup").exited(0);
    client.shows("fits");
    // Portage never replaces its copy of an index by an older one.
    let copy = "/var/cache/edb/binhost/builder.example/binpkgs/Packages";
    client.sh(&format!("cp {copy} /root/copy && sed -i 's/^TIMESTAMP: .*/TIMESTAMP: 4000000000/' {copy}"));
    let judged = run(&client, &script, "check").exited(5);
    assert!(judged.contains("an index that is newer than what the builder offers"), "{judged}");
    client.sh(&format!("cp /root/copy {copy}"));
    // The lines that setup prints.
    let advice = run(&client, &script, "undo && sh /root/client.sh setup").exited(0);
    let (_, hook) = advice.split_once("To be told after each sync:\n").expect("what to type");
    client.sh(hook);
    let synced = client.sh("emerge --sync 2>&1");
    assert!(synced.contains(" fits builder.example (release "), "{synced}");
    client.sh(
        "printf 'USE=\"-bzip2\"\\n' >>/etc/portage/make.conf; echo test-mask/unstable >>/var/lib/portage/world; \
         mkdir /etc/portage/package.accept_keywords; echo test-mask/unstable >/etc/portage/package.accept_keywords/own",
    );
    client.shows("check");
    builder.sh("printf '[http]\\nlisten = \"\"\\n' >/etc/gbsup/gbsup.toml");
    builder.signal("HUP");
    builder.sh("while pgrep -f '^gbsup: web' >/dev/null; do sleep 0.05; done");
    client.shows("silent");
}

/// What only the client may know, each in another place.
const SECRETS: &str = r#"
cd /etc/portage
printf '[other]\nsync-uri = https://me:SECRET-1@other.example/x\npassword = SECRET-2\n' >binrepos.conf/other.conf
cat >>make.conf <<'END'
GITHUB_TOKEN="SECRET-3
  SECRET-4"
FETCHCOMMAND_HTTPS="curl --fail \
  --header \"Authorization: Bearer SECRET-5\" \"${URI}\""
PORTAGE_NICENESS="7"
export ftp_proxy='http://me:SECRET-6@proxy.example:3128'
END
mkdir -m 700 gnupg && echo SECRET-7 >gnupg/private
echo SECRET-8 >tls.key
echo SECRET-9 >/root/token && ln -s /root/token token
"#;

#[test]
fn a_builder_takes_what_a_client_captures() {
    let mut recipe = Recipe::new(&["test-quick/flags"]);
    for (version, keywords) in FLAGS {
        recipe = recipe.in_tree(&format!("test-quick/flags/flags-{version}.ebuild"), &flags(keywords));
    }
    let mut builder = recipe.start();
    builder.wait_waiting();
    let client = client_with_flags(&builder, false);
    let script = offered(&client);
    run(&client, &script, "setup").exited(0);
    client.sh(
        "cd /etc/portage && mkdir package.use && echo 'test-quick/flags sound' >package.use/own && mkdir package.accept_keywords && \
         echo test-quick/flags >package.accept_keywords/own && echo test-quick/t7 >>/var/lib/portage/world",
    );
    client.sh(SECRETS);
    let judged = client.try_sh("sh /root/client.sh check");
    assert_eq!(judged.code, 5, "{judged:?}");

    client.sh("sh /root/client.sh capture >/root/laptop.tar 2>/root/left-out");
    let place = tempfile::tempdir().expect("a directory");
    let tar = place.path().join("laptop.tar");
    crate::support::docker(&[
        "cp",
        &format!("{}:/root/laptop.tar", client.name()),
        &tar.display().to_string(),
    ])
    .ok();
    let bytes = std::fs::read(&tar).expect("it was copied");
    assert!(
        !bytes.windows(7).any(|window| window == b"SECRET-"),
        "{}",
        client.sh("tar -xOf /root/laptop.tar | grep -a SECRET-")
    );
    let left = client.sh("cat /root/left-out");
    for named in [
        "gnupg",
        "tls.key",
        "token",
        "(password)",
        "(GITHUB_TOKEN)",
        "(FETCHCOMMAND_HTTPS)",
        "password of make.conf:",
    ] {
        assert!(left.contains(named), "{named}: {left}");
    }
    let kept = client.sh("tar -xOf /root/laptop.tar portage/make.conf");
    // A line has the number there that it has here.
    let number = |command: &str| client.sh(&format!("{command} | grep -n PORTAGE_NICENESS"));
    assert_eq!(number("tar -xOf /root/laptop.tar portage/make.conf"), number("cat /etc/portage/make.conf"));
    assert!(kept.contains("PORTAGE_NICENESS=\"7\"") && !kept.contains("getbinpkg"), "{kept}");
    let installed = client.sh("tar -xOf /root/laptop.tar installed.json machine.json");
    assert!(
        installed.contains("\"cpv\": \"sys-apps/portage-") && installed.contains("\"kernel\": \""),
        "{installed}"
    );

    // As `make update CONFIG=laptop.tar` does it.
    let staged = place.path().join("staged");
    std::fs::create_dir(&staged).expect("a directory");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/stage");
    let environment = format!("CONFIG={}", tar.display());
    crate::support::command("env", &[&environment, "bash", script, &staged.display().to_string()], None, &[])
        .ok();
    crate::support::docker(&[
        "cp",
        &format!("{}/.", staged.display()),
        &format!("{}:/run/gbsup-config", builder.name()),
    ])
    .ok();
    builder.sh("/usr/lib/gbsup/configure /run/gbsup-config && gbsup sync");
    builder.wait_cycle(2);
    builder.wait_waiting();
    let judged = client.try_sh("sh /root/client.sh check");
    assert_eq!(judged.code, 0, "{judged:?}");
    assert!(
        judged.out.contains(" fits 127.0.0.1 (release ") && judged.out.lines().count() == 1,
        "{judged:?}"
    );
    builder.look_away();
    builder.assert_tidy();
}

/// A builder for another kind of machine: what it says of itself is what its clients learn.
#[test]
fn a_machine_is_told_what_it_lacks() {
    let mut builder = Recipe::new(&["test-quick/t1"])
        .file(
            "/etc/portage/make.conf/own",
            "# for an old one\nUSE=\"\n  png -doc\"\nCFLAGS=\"-O1 -march=bdver4\"\nGITHUB_TOKEN=\"SECRET\"\n",
        )
        .file("/etc/portage/package.use", "a/b d c # why\n\na/b -e\n")
        .start();
    builder.wait_waiting();
    builder.look_away();
    let printed = builder.gbsup(&["fingerprint"]).ok();
    for line in [
        "flags\tCFLAGS\t-O1 -march=bdver4\tmake.conf/own:4\n",
        "march\tgcc\tbdver4\tmake.conf/own:4\n",
        "package.use\ta/b\t-e\tpackage.use:3\n",
        "package.use\ta/b\tc d\tpackage.use:1\n",
        "use\tdoc\toff\tmake.conf/own:3\n",
        "profile\tmake.profile\tpocket:default\tmake.profile\n",
    ] {
        assert!(printed.contains(line), "{line} in {printed}");
    }
    assert!(!printed.contains("SECRET"), "{printed}");
    let release = builder.release();
    let published =
        std::fs::read_to_string(builder.on_volume(format!("releases/{release}/fingerprint.json")));
    let published: Value = serde_json::from_str(&published.expect("it is there")).expect("JSON");
    let live: Value = serde_json::from_str(&builder.gbsup(&["fingerprint", "--json"]).ok()).expect("JSON");
    assert_eq!(published, live);
    let of_release = std::fs::read_to_string(builder.on_volume(format!("releases/{release}/release.json")));
    let of_release: Value = serde_json::from_str(&of_release.expect("it is there")).expect("JSON");
    assert!(
        of_release["packages"][0]["seconds"].as_u64().is_some_and(|seconds| seconds < 600),
        "{of_release}"
    );

    let client = Client::of(&builder);
    client.sh("echo test-quick/t1 >/var/lib/portage/world; cp -rL /etc/portage/make.profile /root/mine && rm -r /etc/portage/make.profile && \
               ln -s /root/mine /etc/portage/make.profile");
    run(&client, &offered(&client), "setup").exited(0);
    let judged = client.try_sh("sh /root/client.sh check");
    assert_eq!(judged.code, 0, "nothing is compiled: {judged:?}");
    // No machine has both these and what came after them.
    assert!(
        judged.out.contains("-march=bdver4 there: ")
            && judged.out.contains("this CPU lacks ")
            && judged.out.contains("tbm"),
        "{judged:?}"
    );
    assert!(judged.out.contains("/root/mine here, there pocket:default"), "{judged:?}");
    assert!(judged.out.ends_with("would install 1 binary package and compile nothing.\n"), "{judged:?}");
    client.sh("emerge --update --deep --changed-use --getbinpkg --ask=n @world >/tmp/log 2>&1 || { cat /tmp/log; exit 1; }");
    assert_eq!(done(&client), (BTreeSet::new(), BTreeSet::from(["test-quick/t1-1".to_owned()])));
    builder.assert_tidy();
}

/// What the flags of the installed package are on a machine: those that its ebuild has.
fn flags_there(sh: impl Fn(&str) -> String) -> String {
    sh("for record in /var/db/pkg/test-quick/flags-*; do echo \"${record##*/} $(tr ' ' '\\n' <$record/USE | grep -E '^(colour|sound)$' | tr '\\n' ' ')\"; done")
        .trim_end()
        .to_owned()
}

/// Waits until the release on offer was rehearsed as the only client that is known.
fn until_rehearsed(builder: &mut Builder) {
    let release = builder.release();
    builder.wait_for("it is rehearsed", |status| {
        status.clients.iter().any(|client| client.release.as_deref() == Some(&release))
    });
}

/// A line that Python runs as it starts: whoever rehearses stands still while the file is there.
const STANDS_STILL: &str =
    "import os, signal; os.getuid() == 65532 and os.path.exists('/usr/held') and signal.pause()";

#[test]
fn a_cycle_waits_for_no_rehearsal() {
    let mut builder = Builder::settled(&["test-quick/t1"]);
    let client = Client::of(&builder);
    run(&client, &offered(&client), "setup").exited(0);
    client.sh("echo test-quick/t1 >/var/lib/portage/world");
    for name in ["desk", "laptop"] {
        rehearsed(builder.name(), &client, name);
    }
    let first = builder.release();
    let cycle = builder.status().cycle.expect("there was one").id;
    // A release more, whose rehearsals do not come to an end.
    builder.sh(&format!(
        "echo \"{STANDS_STILL}\" >/usr/lib/python3/dist-packages/held.pth; touch /usr/held; \
         echo test-quick/t2 >>/var/lib/portage/world"
    ));
    builder.gbsup(&["sync"]).ok();
    builder.wait_cycle(cycle + 1);
    builder.wait_waiting();
    let second = builder.release();
    assert_ne!(first, second);
    builder.sh(
        "until pgrep -u 65532 >/run/held; do sleep 0.05; done; echo test-quick/t4 >>/var/lib/portage/world",
    );
    builder.gbsup(&["sync"]).ok();
    // It was told to stop, and nobody waited for what it would have said.
    builder.sh("while pgrep -u 65532 | grep -qxFf /run/held; do sleep 0.05; done; rm /usr/held");
    builder.wait_cycle(cycle + 2);
    builder.wait_waiting();
    let third = builder.release();
    assert_ne!(second, third);
    builder.wait_for("all of them are rehearsed afterwards", |status| {
        status.clients.len() == 2
            && status.clients.iter().all(|client| client.release.as_deref() == Some(&third))
    });
    let logs = builder.logs();
    let told = |release: &str, name: &str| logs.contains(&format!("release {release}, {name}: "));
    assert!(told(&third, "desk") && told(&third, "laptop"), "{logs}");
    assert!(!told(&second, "desk") && !told(&second, "laptop"), "the cycle waited: {logs}");
    builder.assert_tidy();
}

#[test]
fn who_has_other_flags_gets_a_build_of_its_own() {
    let mut builder = Recipe::new(&["test-quick/t1", "test-quick/flags"])
        .in_tree("test-quick/flags/flags-1.ebuild", &flags("amd64"))
        .config("[clients]\nbuild_for = [\"laptop\"]\n")
        .start();
    builder.wait_waiting();
    let [common, laptop] = [0, 1].map(|_| client_with_flags(&builder, false));
    let script = offered(&common);
    for client in [&common, &laptop] {
        client.sh("rm /var/db/repos/pocket/test-quick/flags/flags-2.ebuild");
        run(client, &script, "setup").exited(0);
    }
    laptop
        .sh("cd /etc/portage && mkdir package.use && echo 'test-quick/flags -colour sound' >package.use/own");
    let known = rehearsed(builder.name(), &laptop, "laptop");
    let flags_wanted = serde_json::json!({ "colour": false, "sound": true });
    assert_eq!(known["fit"]["compile"][0]["flags"], flags_wanted, "{known}");

    let builds = |builder: &Builder| {
        let text = std::fs::read_to_string(
            builder.on_volume(format!("releases/{}/release.json", builder.release())),
        );
        let release: Value = serde_json::from_str(&text.expect("it is there")).expect("JSON");
        let packages = release["packages"].as_array().expect("a list").iter();
        let one = |package: &Value| format!("{} {}", package["cpv"], package["beside"]);
        packages.map(one).filter(|package| package.contains("flags")).collect::<Vec<_>>()
    };
    assert_eq!(builds(&builder).len(), 1, "{:?}", builds(&builder));
    let assert_both = |builder: &Builder, version: &str| {
        let both = [
            format!("\"test-quick/flags-{version}\" null"),
            format!("\"test-quick/flags-{version}\" \"-colour sound\""),
        ];
        assert_eq!(builds(builder), both);
        assert_eq!(
            flags_there(|script| builder.sh(script)),
            format!("flags-{version} colour"),
            "it has what it had"
        );
        builder.sh("test ! -e /etc/portage/package.use/zz-gbsup-circular");
        for (client, flags) in [(&common, "colour"), (&laptop, "sound")] {
            client.try_sh("sh /root/client.sh check").exited(0);
            let told = client.try_sh("FEATURES=-getbinpkg sh /root/client.sh check").exited(5);
            assert!(told.contains("FEATURES has no getbinpkg"), "{told}");
            client.sh("emerge --update --deep --changed-use --getbinpkg --ask=n @world >/tmp/log 2>&1 || { cat /tmp/log; exit 1; }");
            assert_eq!(flags_there(|script| client.sh(script)), format!("flags-{version} {flags}"));
            assert!(done(client).0.is_empty(), "it compiled something");
        }
        let said = builder.gbsup(&["clients"]).ok();
        assert!(said.contains("from the release, nothing to compile"), "{said}");
    };
    builder.gbsup(&["sync", "--wait"]).ok();
    builder.wait_waiting();
    builder.look_away();
    until_rehearsed(&mut builder);
    assert_both(&builder, "1");
    let changes = builder.sh("cat /var/lib/gbsup/releases/current/CHANGES");
    assert!(changes.contains("test-quick/flags (-colour sound)"), "{changes}");
    assert!(changes.contains("\nclients\n  laptop: 2 from the release, nothing to compile\n"), "{changes}");

    // A new version, in the very cycle that builds the common one.
    for client in [&common, &laptop] {
        client.sh("cd /var/db/repos/pocket/test-quick/flags && mv flags-1.ebuild flags-3.ebuild");
    }
    builder.add_ebuild("test-quick", "flags-3", &flags("amd64"));
    builder.gbsup(&["sync", "--wait"]).ok();
    builder.wait_waiting();
    builder.look_away();
    until_rehearsed(&mut builder);
    assert_both(&builder, "3");

    // Who takes whatever binary package there is takes the one with its own flags, though the other one is newer.
    common.sh(
        "emerge --unmerge --quiet test-quick/flags && echo test-quick/flags >>/var/lib/portage/world && \
         echo 'EMERGE_DEFAULT_OPTS=\"${EMERGE_DEFAULT_OPTS} -G\"' >>/etc/portage/make.conf",
    );
    let verdict = common.try_sh("sh /root/client.sh check --json").exited(0);
    let verdict: Value = serde_json::from_str(&verdict).expect("JSON");
    assert_eq!(verdict["install"], serde_json::json!(["test-quick/flags-3"]));
    common.sh("emerge --update --deep --changed-use --getbinpkg --ask=n @world >/tmp/log 2>&1 || { cat /tmp/log; exit 1; }");
    assert_eq!(flags_there(|script| common.sh(script)), "flags-3 colour");
    assert!(done(&common).0.is_empty(), "it compiled something");

    // What cannot be built so is missing, and holds up nothing: it is tried once, and the status says where the reason is.
    let dies = format!("{}src_compile() {{\n\tuse sound && die \"not with sound\"\n}}\n", flags("amd64"));
    builder.add_ebuild("test-quick", "flags-4", &dies);
    let missing = |builder: &mut Builder| {
        builder.gbsup(&["sync", "--wait"]).ok();
        builder.wait_waiting();
        builder.look_away();
        assert_eq!(builds(builder), ["\"test-quick/flags-4\" null"]);
        let warnings = builder.status().warnings;
        warnings.into_iter().find(|warning| warning.contains("what clients want")).unwrap_or_default()
    };
    let first = missing(&mut builder);
    let said =
        "what clients want beside the common builds is missing: test-quick/flags-4 with -colour sound; see ";
    let log = first.strip_prefix(said).unwrap_or_else(|| panic!("{first}"));
    assert!(builder.sh(&format!("cat {log}")).contains("not with sound"), "{log}");
    assert_eq!(missing(&mut builder), first, "it is not tried again, and the reason is where it was");
    builder.gbsup(&["clients", "remove", "laptop"]).ok();
    assert_eq!(missing(&mut builder), "");
    builder.assert_tidy();
}

#[test]
fn a_volume_from_a_backup_reaches_clients_that_saw_later_releases() {
    let mut builder = Builder::settled(&["test-quick/t1"]);
    builder.wait_waiting();
    let client = Client::of(&builder);
    client.sh("echo test-quick/t1 >/var/lib/portage/world");
    run(&client, &offered(&client), "setup").exited(0);
    let update = "emerge --update --getbinpkg --ask=n @world >/tmp/log 2>&1 || { cat /tmp/log; exit 1; }; ls /var/db/pkg/test-quick";
    assert_eq!(client.sh(update), "t1-1\n");
    let place = tempfile::tempdir().expect("a directory");
    let (backup, volume) = (place.path().join("backup.tar"), builder.on_volume(""));
    let tar = |how: &str| {
        let args =
            [how, "--file", &backup.display().to_string(), "--directory", &volume.display().to_string()];
        let all: &[&str] = if how == "--create" { &["."] } else { &[] };
        assert_eq!(crate::support::command("tar", &[&args, all].concat(), None, &[]).code, 0);
    };
    tar("--create");
    let before = builder.release();
    builder.tree(&["bump", "test-quick/t1", "1", "2", ""]);
    client.sh("cd /var/db/repos/pocket/test-quick/t1 && mv t1-1.ebuild t1-2.ebuild");
    builder.gbsup(&["sync", "--wait"]).ok();
    builder.wait_waiting();
    let lost = builder.release();
    assert_eq!(client.sh(update), "t1-2\n");

    assert_eq!(builder.stop().1, 0);
    crate::support::command("find", &[&volume.display().to_string(), "-mindepth", "1", "-delete"], None, &[])
        .ok();
    tar("--extract");
    builder.start();
    builder.wait_waiting();
    builder.look_away();
    assert_eq!(builder.release(), before);
    // It has the network of the builder, which is another one now.
    crate::support::docker(&["restart", "--time", "0", client.name()]).ok();
    let judged = client.try_sh("sh /root/client.sh check").exited(5);
    assert!(judged.contains("an index that is newer than what the builder offers"), "{judged}");
    builder.gbsup(&["sync", "--wait"]).ok();
    builder.wait_waiting();
    builder.look_away();
    assert!(builder.release() > lost, "{} {lost}", builder.release());
    let said = format!("clients had been offered {lost}, which is not on this volume any more");
    assert!(builder.logs().contains(&said), "{}", builder.logs());
    // What it installs is the build of now, whose size and hashes the index of then does not have.
    client.sh("emerge --unmerge --quiet test-quick/t1 && echo test-quick/t1 >/var/lib/portage/world");
    assert_eq!(client.sh(update), "t1-2\n");
    assert_eq!(done(&client).0, BTreeSet::new(), "it compiled something");
    let judged = client.try_sh("sh /root/client.sh check").exited(0);
    assert!(judged.contains(" fits 127.0.0.1 (release "), "{judged}");
    builder.assert_tidy();
}
