//! `client.sh` on clients of every kind: what it does to them, and that it takes all of it back.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::{Builder, Client, Ran, Recipe};

const URL: &str = "http://127.0.0.1:8080/binpkgs";
/// Everything that Portage is configured by, down to the modes of files; of a key ring what it has.
const STATE: &str = "cd /etc/portage && find . /root/dotfile -path ./gnupg -prune -o -printf '%p %y %m %U:%G %l\\n' -type f \
                     -exec sha256sum {} + 2>/dev/null | sort; if [ -d gnupg ]; then gpg --homedir gnupg --list-keys; \
                     gpg --homedir gnupg --export-ownertrust | grep -v '^#'; fi";

/// The script as the server offers it.
pub(crate) fn offered(client: &Client) -> String {
    client.sh("python3 -c 'import urllib.request as u; print(u.urlopen(\"http://127.0.0.1:8080/client.sh\").read().decode(), end=\"\")'")
}

/// Runs the script as a file of the client.
pub(crate) fn run(client: &Client, script: &str, verb: &str) -> Ran {
    client.sh(&format!("cat >/root/client.sh <<'END OF SCRIPT'\n{script}END OF SCRIPT"));
    client.try_sh(&format!("cd /tmp && sh /root/client.sh {verb} 2>&1"))
}

#[test]
fn what_setup_does_is_taken_back() {
    let mut builder = Recipe::new(&["test-quick/t1"]).env("GBSUP_PUBLISH_SIGN_KEY", "").start();
    builder.gbsup(&["pause"]).ok();
    let client = Client::of(&builder);
    let before = client.sh(STATE);

    // Before there is a release: the builder makes the key that it will sign with, the server does not know of it.
    let script = builder.gbsup(&["client-config", "--url", "http://127.0.0.1:8080"]).ok();
    let said = run(&client, &script, "setup").exited(0);
    assert!(said.contains("\ntrusts the key ") || said.starts_with("trusts the key "), "{said}");
    assert!(said.contains("\nadded a block to /etc/portage/make.conf\n"), "{said}");
    assert!(said.contains(&format!("{URL} answers, and nothing is published there yet.\n")), "{said}");
    let undone = run(&client, &script, "undo").exited(0);
    assert!(undone.contains("removed the block of setup from /etc/portage/make.conf\n"), "{undone}");
    assert_eq!(client.sh(STATE), before, "{undone}");
    assert_eq!(run(&client, &script, "undo").exited(0), "There is nothing of setup here.\n");
    let unknown = offered(&client);
    let said = run(&client, &unknown, "setup").exited(0);
    assert!(!said.contains("trusts the key"), "{said}");
    assert_eq!(client.sh("grep ^verify /etc/portage/binrepos.conf/gbsup.conf"), "verify-signature = true\n");
    builder.gbsup(&["resume"]).ok();
    builder.wait_waiting();
    let said = run(&client, &unknown, "setup").exited(0);
    assert!(said.contains("The packages are signed with the key ") && said.contains("fetch it"), "{said}");
    client.sh("echo test-quick/t1 >/var/lib/portage/world");
    let judged = run(&client, &unknown, "check").exited(5);
    assert!(judged.contains("The packages are signed with the key "), "Portage would refuse them: {judged}");
    let script = offered(&client);
    assert!(run(&client, &script, "setup").exited(0).contains("trusts the key "));
    let installed =
        client.sh("emerge --quiet --getbinpkgonly --oneshot test-quick/t1 2>&1 && cat /var/log/emerge.log");
    assert!(installed.contains(") Merging Binary (test-quick/t1-1"), "{installed}");
    client.sh("emerge --unmerge --quiet test-quick/t1");
    run(&client, &script, "undo").exited(0);
    assert_eq!(client.sh(STATE), before);

    // What people have: files in the place of directories, no end of the last line, links, own keys, other servers.
    client.sh(
        "cd /etc/portage && printf '[other]\\nsync-uri = https://me:secret@other.example/x' >binrepos.conf && chmod 600 binrepos.conf && \
         printf 'PORTAGE_NICENESS=\"5\"' >>make.conf && mv make.conf /root/dotfile && ln -s /root/dotfile make.conf && \
         mkdir -m 700 gnupg && gpg --homedir gnupg --batch --quiet --pinentry-mode loopback --passphrase '' \
         --quick-generate-key mine ed25519 sign never 2>/dev/null && gpgconf --homedir /etc/portage/gnupg --kill all",
    );
    let before = client.sh(STATE);
    assert!(before.contains("uid ") && before.contains("/root/dotfile f "), "{before}");
    let said = run(&client, &script, "setup").exited(0);
    assert!(said.contains("There are packages of other as well (https://other.example/x)."), "{said}");
    assert_eq!(client.sh("tail -n 1 /root/dotfile; portageq envvar PORTAGE_NICENESS"), "# gbsup ends\n5\n");
    assert_eq!(
        client.sh("head -n 3 /etc/portage/binrepos.conf").lines().nth(2),
        Some("# gbsup begins (the line above had no end)")
    );
    let installed =
        client.sh("emerge --quiet --getbinpkgonly --oneshot test-quick/t1 2>&1 && cat /var/log/emerge.log");
    assert_eq!(installed.matches(") Merging Binary (test-quick/t1-1").count(), 2, "{installed}");
    assert_two_servers_are_told_apart(&client);
    client.sh("emerge --unmerge --quiet test-quick/t1");
    run(&client, &script, "undo").exited(0);
    assert_eq!(client.sh(STATE), before);

    // What is half there is nobody's to guess at.
    client.sh("printf '\\n# gbsup begins\\n' >>/root/dotfile");
    let refused = run(&client, &script, "setup").exited(1);
    assert!(refused.contains("put that right by hand"), "{refused}");
    assert_refused_on(&builder, &script);
    builder.look_away();
    builder.assert_tidy();
}

/// Another server with the same packages, built later: what is said of it is what Portage does.
fn assert_two_servers_are_told_apart(client: &Client) {
    client.sh(
        "mkdir /srv/other && cp /var/cache/edb/binhost/127.0.0.1/binpkgs/Packages /srv/other && \
         sed -i 's/^BUILD_TIME: .*/BUILD_TIME: 4000000000/' /srv/other/Packages && cp /etc/portage/binrepos.conf /root/binrepos && \
         sed -i 's|^sync-uri = https.*|sync-uri = file:///srv/other\\npriority = 1\\nverify-signature = false|' /root/dotfile /etc/portage/binrepos.conf",
    );
    let fetched =
        || client.try_sh("rm -rf /var/cache/binhost; emerge --fetchonly --oneshot test-quick/t1 2>&1").out;
    let said = fetched();
    assert!(said.contains("File not found: /srv/other/test-quick/t1/t1-1-1.gpkg.tar"), "{said}");
    client.sh("sed -i 's|^priority = 1$|getbinpkg-exclude = */*|' /etc/portage/binrepos.conf");
    let said = fetched();
    let there = client.sh("find /var/cache/binhost/gbsup -name 't1-1-1.gpkg.tar*'");
    assert!(!said.contains("/srv/other/test-quick") && !there.is_empty(), "{said}");
    client.sh("cat /root/binrepos >/etc/portage/binrepos.conf");
}

/// A builder's own configuration has a file of the name that setup would write.
fn assert_refused_on(builder: &Builder, script: &str) {
    let before = builder.sh("cat /etc/portage/make.conf/zz-gbsup.conf");
    builder.sh(&format!("cat >/tmp/client.sh <<'END OF SCRIPT'\n{script}END OF SCRIPT"));
    let refused = builder.exec(&["sh", "/tmp/client.sh", "setup"]).exited(1);
    assert!(refused.starts_with("This is a builder itself"), "{refused}");
    assert_eq!(builder.sh("rm /tmp/client.sh; cat /etc/portage/make.conf/zz-gbsup.conf"), before);
}

/// A package with flags, in the tree of the builder and of its clients; a newer version is for whoever accepts it.
const FLAGS: [(&str, &str); 2] = [("1", "amd64"), ("2", "~amd64")];

fn flags(keywords: &str) -> String {
    format!(
        "EAPI=8\n\ninherit test-control\n\nDESCRIPTION=\"With flags\"\nSLOT=\"0\"\nKEYWORDS=\"{keywords}\"\nIUSE=\"+colour sound\"\n\n\
         src_install() {{\n\ttest_file\n}}\n"
    )
}

/// A client of one kind: how it became so, and what it compiles for which reason by which line.
struct Kind {
    name: &'static str,
    made: &'static str,
    compiles: &'static [(&'static str, &'static str, Option<&'static str>)],
}

const KINDS: &[Kind] = &[
    Kind { name: "the same", made: "", compiles: &[] },
    Kind {
        name: "a flag off for all",
        made: "cd /etc/portage && printf '# mine\\nUSE=\"sound-extra\\n  -colour\"\\n' | cat - make.conf >new && mv new make.conf",
        compiles: &[("test-quick/flags-1", "USE -colour", Some("make.conf:3"))],
    },
    Kind {
        name: "a flag for one package",
        made: "cd /etc/portage && mkdir package.use && printf '*/* foo\\n\\ntest-quick/flags sound # mine\\n' >package.use/own",
        compiles: &[("test-quick/flags-1", "USE sound", Some("package.use/own:3"))],
    },
    Kind {
        name: "a file in the place of a directory",
        made: "cd /etc/portage && echo '>=test-quick/flags-1 -colour sound' >package.use",
        compiles: &[("test-quick/flags-1", "USE sound -colour", Some("package.use:1"))],
    },
    Kind {
        name: "a flag by a file for one package",
        made: "cd /etc/portage && mkdir env && echo 'USE=\"sound\"' >env/loud && echo 'test-quick/flags loud' >package.env",
        compiles: &[("test-quick/flags-1", "USE sound", Some("env/loud:1"))],
    },
    Kind {
        name: "~arch for one package",
        made: "cd /etc/portage && mkdir package.accept_keywords && echo test-quick/flags >package.accept_keywords/own",
        compiles: &[(
            "test-quick/flags-2",
            "~amd64 is only accepted here",
            Some("package.accept_keywords/own:1"),
        )],
    },
    Kind {
        name: "another world",
        made: "echo test-quick/t7 >>/var/lib/portage/world",
        compiles: &[("test-quick/t7-1", "only in the world of this machine", Some("world:3"))],
    },
    Kind {
        name: "another profile",
        made: "cd /etc/portage && mkdir profile.d && mv make.profile base && mkdir make.profile && \
               echo ../base >make.profile/parent && echo 'USE=\"-colour\"' >make.profile/make.defaults && echo 8 >make.profile/eapi",
        compiles: &[("test-quick/flags-1", "USE -colour", None)],
    },
    Kind {
        name: "a newer tree",
        made: "cd /var/db/repos/pocket && cp test-quick/t1/t1-1.ebuild test-quick/t1/t1-2.ebuild && git add test-quick/t1 && \
               GIT_COMMITTER_DATE=\"@$(($(git log -1 --format=%ct) + 180000)) +0000\" git -c user.name=x -c user.email=x@x commit --quiet --message=x",
        compiles: &[("test-quick/t1-2", "only t1-1 is offered", None)],
    },
    Kind {
        name: "a mask",
        made: "cd /var/db/repos/pocket/test-quick/t1 && cp t1-1.ebuild t1-0.ebuild && mkdir /etc/portage/package.mask && \
               printf '# broken\\n>=test-quick/t1-1\\n' >/etc/portage/package.mask/own",
        compiles: &[(
            "test-quick/t1-0",
            "only t1-1 is offered, which is not accepted here",
            Some("package.mask/own:2"),
        )],
    },
    Kind {
        name: "a repository of its own",
        made: "mkdir -p /root/own/profiles /root/own/metadata /root/own/test-own/x && cd /root/own && echo own >profiles/repo_name && \
               echo test-own >profiles/categories && printf 'masters = pocket\\nuse-manifests = false\\n' >metadata/layout.conf && \
               cp /var/db/repos/pocket/test-quick/t8/t8-1.ebuild test-own/x/x-1.ebuild && \
               printf '[own]\\nlocation = /root/own\\n' >>/etc/portage/repos.conf && echo test-own/x >>/var/lib/portage/world && chmod 755 /root",
        compiles: &[("test-own/x-1", "the repository own is only here", None)],
    },
    Kind {
        name: "patches of its own",
        made: "mkdir -p /etc/portage/patches/test-quick/t1 && echo >/etc/portage/patches/test-quick/t1/x.patch",
        compiles: &[("test-quick/t1-1", "patched here", Some("patches/test-quick/t1/x.patch"))],
    },
    Kind {
        name: "options",
        made: "echo 'EMERGE_DEFAULT_OPTS=\"${EMERGE_DEFAULT_OPTS} --ask --quiet --usepkg-exclude test-quick/t1\"' >>/etc/portage/make.conf",
        compiles: &[("test-quick/t1-1", "excluded by --usepkg-exclude", None)],
    },
    Kind {
        name: "no answer",
        made: "sed -i s/8080/8079/ /etc/portage/binrepos.conf/gbsup.conf",
        compiles: &[
            ("test-quick/t1-1", "the builder does not answer", None),
            ("test-quick/flags-1", "the builder does not answer", None),
        ],
    },
];

/// What the newest emerge of a client did, by its log: what it compiled, and what it installed as it was offered.
fn done(client: &Client) -> (BTreeSet<String>, BTreeSet<String>) {
    let log = client.sh("cat /var/log/emerge.log 2>/dev/null || :");
    let named = |what: &str| {
        let lines = log
            .lines()
            .filter_map(move |line| line.split_once(what)?.1.split("::").next().map(str::to_owned));
        lines.collect::<BTreeSet<_>>()
    };
    (named(") Compiling/Merging ("), named(") Merging Binary ("))
}

fn names(of: &Value, list: &str) -> BTreeSet<String> {
    let name = |entry: &Value| entry["package"].as_str().or(entry.as_str()).expect("a package").to_owned();
    of[list].as_array().expect("a list").iter().map(name).collect()
}

fn client_with_flags(builder: &Builder, older: bool) -> Client {
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

/// Kinds by what is nowhere but on the client, so that a builder cannot know of it: a tree, a repository, a network.
const UNKNOWABLE: [&str; 4] = ["a newer tree", "a mask", "a repository of its own", "no answer"];

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

/// The builder's verdict is that of `check`, package for package, with the same reasons by the same lines.
fn assert_known(builder: &str, client: &Client, kind: &Kind, verdict: &Value) {
    let name = client.name();
    let fit = &rehearsed(builder, client, name)["fit"];
    assert_eq!(fit["problem"], Value::Null, "{}: {fit}", kind.name);
    let told = |of: &Value| {
        let compile = of["compile"].as_array().unwrap_or_else(|| panic!("{}: {of}", kind.name));
        let one = |one: &Value| ["package", "why", "place", "seconds"].map(|key| one[key].to_string());
        compile.iter().map(one).collect::<BTreeSet<_>>()
    };
    assert_eq!(told(fit), told(verdict), "{}: {fit} {verdict}", kind.name);
    assert_eq!(fit["binary"], verdict["binary"], "{}: {fit} {verdict}", kind.name);
    crate::support::docker(&["exec", builder, "gbsup", "clients", "remove", name]).ok();
}

/// The verdict of `check` is what emerge then does, package for package; and so is that of the builder, which runs Portage as
/// the client.
fn assert_judged(builder: &str, client: &Client, script: &str, kind: &Kind) {
    run(client, script, "setup").exited(0);
    client.sh(kind.made);
    let before = client.sh(STATE);
    let text = client.try_sh("sh /root/client.sh check");
    let printed = client.try_sh("sh /root/client.sh check --json");
    let code = match kind.compiles {
        _ if kind.name == "no answer" => 3,
        [] => 0,
        _ => 5,
    };
    assert_eq!((printed.code, text.code), (code, code), "{}: {printed:?} {text:?}", kind.name);
    assert_eq!(client.sh(STATE), before, "it changes nothing");
    let verdict: Value = serde_json::from_str(&printed.out).expect("JSON");
    let told: BTreeSet<_> =
        verdict["compile"].as_array().expect("a list").iter().map(Value::to_string).collect();
    for (package, why, place) in kind.compiles {
        let expected = serde_json::json!({ "package": package, "why": why, "place": place, "seconds": null });
        let seconds = |told: &str| {
            let mut told: Value = serde_json::from_str(told).expect("JSON");
            told["seconds"] = Value::Null;
            told
        };
        assert!(told.iter().any(|told| seconds(told) == expected), "{}: {expected} in {told:?}", kind.name);
        let named = if kind.name == "no answer" { "would compile all 2 packages" } else { package };
        assert!(text.out.contains(named), "{}: {}", kind.name, text.out);
    }
    if code == 0 {
        assert!(
            text.out.contains(" fits 127.0.0.1 (release ") && text.out.lines().count() == 1,
            "{}",
            text.out
        );
    }
    assert_eq!(verdict["binary"], names(&verdict, "install").len(), "{verdict}");
    if !UNKNOWABLE.contains(&kind.name) {
        assert_known(builder, client, kind, &verdict);
    }

    client.sh("emerge --update --deep --changed-use --getbinpkg --ask=n @world >/tmp/log 2>&1 || { cat /tmp/log; exit 1; }");
    let (compiled, binary) = done(client);
    assert_eq!(compiled, names(&verdict, "compile"), "{}: {verdict}", kind.name);
    assert_eq!(binary, names(&verdict, "install"), "{}: {verdict}", kind.name);
    let expected: BTreeSet<_> = kind.compiles.iter().map(|(package, ..)| (*package).to_owned()).collect();
    assert_eq!(compiled, expected, "{}", kind.name);
    let after = client.try_sh("sh /root/client.sh check");
    assert_eq!(after.code, if code == 3 { 3 } else { 0 }, "{}: {after:?}", kind.name);
}

#[test]
fn the_verdict_is_what_emerge_then_does() {
    let mut recipe = Recipe::new(&["test-quick/t1", "test-quick/flags"]);
    for (version, keywords) in FLAGS {
        recipe = recipe.in_tree(&format!("test-quick/flags/flags-{version}.ebuild"), &flags(keywords));
    }
    let mut builder = recipe.start();
    builder.wait_waiting();
    builder.look_away();
    let script = offered(&client_with_flags(&builder, false));
    let kinds = KINDS.iter().map(|kind| (kind, client_with_flags(&builder, false)));
    // Portage was another one once.
    let older = KINDS.iter().filter(|kind| ["a flag off for all", "no answer"].contains(&kind.name));
    let older = older.map(|kind| (kind, client_with_flags(&builder, true)));
    let all: Vec<_> = kinds.chain(older).collect();
    std::thread::scope(|scope| {
        for some in all.chunks(all.len().div_ceil(2)) {
            let (builder, script) = (builder.name(), &script);
            scope.spawn(move || {
                for (kind, client) in some {
                    assert_judged(builder, client, script, kind);
                }
            });
        }
    });
    builder.assert_tidy();
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
    builder.assert_tidy();
}
