//! Clients that differ from their builder in one way each: the verdict of `check`, and that of the builder, is what emerge then does.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::clients::{FLAGS, client_with_flags, done, flags, offered, rehearsed, run};
use crate::setup::STATE;
use crate::support::{Client, Recipe};

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
        name: "another CPU",
        made: "cd /etc/portage && printf 'CPU_FLAGS_X86=\"vaes\"\\n' | cat - make.conf >new && mv new make.conf",
        compiles: &[("test-quick/flags-1", "USE cpu_flags_x86_vaes", Some("make.conf:1"))],
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
        name: "a set of its own",
        made: "mkdir -p /etc/portage/sets && printf '# mine\\ntest-quick/t7\\n' >/etc/portage/sets/own && \
               echo @own >>/var/lib/portage/world_sets",
        compiles: &[("test-quick/t7-1", "only in the world of this machine", Some("sets/own:2"))],
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
        name: "an older tree",
        made: "cd /var/db/repos/pocket && git mv test-quick/t1/t1-1.ebuild test-quick/t1/t1-0.ebuild && \
               GIT_COMMITTER_DATE=\"@$(($(git log -1 --format=%ct) - 180000)) +0000\" git -c user.name=x -c user.email=x@x commit --quiet --message=x",
        compiles: &[("test-quick/t1-0", "only t1-1 is offered", None)],
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
        name: "binary packages alone, whatever their flags",
        made: "cd /etc/portage && echo 'test-quick/flags sound' >package.use && \
               echo 'EMERGE_DEFAULT_OPTS=\"${EMERGE_DEFAULT_OPTS} -G --deep=0\"' >>make.conf",
        compiles: &[],
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

fn names(of: &Value, list: &str) -> BTreeSet<String> {
    let name = |entry: &Value| entry["package"].as_str().or(entry.as_str()).expect("a package").to_owned();
    of[list].as_array().expect("a list").iter().map(name).collect()
}

/// Kinds by what is nowhere but on the client, so that a builder cannot know of it: a tree, a repository, a network.
const UNKNOWABLE: [&str; 5] =
    ["a newer tree", "an older tree", "a mask", "a repository of its own", "no answer"];

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
