use super::*;
use crate::portage::command::probe::Version;

fn new_host() -> Host {
    Host { capabilities: Capabilities::of(Version::new(3, 0, 83, 0)), ..Host::default() }
}

fn env<'a>(command: &'a Command, name: &str) -> &'a str {
    let mut found = command.env.iter().filter(|(known, _)| known == name);
    let (_, value) = found.next().expect("the variable is set");
    assert!(found.next().is_none(), "{name} is set once");
    value
}

#[test]
fn build_with_everything() {
    let options = BuildOptions {
        targets: vec!["@world".into(), "app-misc/tree".into()],
        jobs: 4,
        load_average: Some(4.5),
        args: vec!["--jobs=2".into()],
        keep_going: false,
        exclude: vec!["=dev-lang/rust-1.84".into(), "nonsense".into()],
        ccache: None,
    };
    let command = build(&new_host(), &options);
    assert_eq!(
        command.argv.join(" "),
        "emerge --ignore-default-opts --color=n --nospinner --verbose --verbose-conflicts --quiet-build=y \
         --quiet-fail=y --buildpkg=y --with-bdeps=y --backtrack=100 --autounmask=n \
         --accept-properties=-interactive --usepkg=y --binpkg-respect-use=y --binpkg-changed-deps=y --jobs=4 \
         --load-average=4.5 --keep-going=n --oneshot --update --deep --changed-use --changed-deps=y --changed-slot=y \
         --exclude=dev-lang/rust --jobs=2 @world app-misc/tree"
    );
    assert_eq!(
        env(&command, "FEATURES"),
        format!("{} observability buildpkg-proactive", switched_features().join(" "))
    );
    assert_eq!(env(&command, "LC_ALL"), "C.UTF-8");
    assert_eq!(env(&command, "EMERGE_DEFAULT_OPTS"), "");
}

#[test]
fn a_plan_is_a_build_that_does_nothing() {
    let options = BuildOptions {
        targets: vec!["@world".into(), "app-misc/tree".into()],
        args: vec!["--newuse".into()],
        exclude: vec!["dev-lang/rust".into()],
        ..BuildOptions::default()
    };
    let (plan, build) = (plan(&new_host(), &options), build(&new_host(), &options));
    assert_eq!(plan.env, build.env);
    let only = |these: &Command, others: &Command| {
        let only = these.argv.iter().filter(|arg| !others.argv.contains(arg));
        only.cloned().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(only(&plan, &build), "--pretend --tree --verbose=y --quiet=n");
    assert_eq!(only(&build, &plan), "");
}

#[test]
fn an_old_portage_is_asked_for_nothing_new() {
    let host = Host {
        capabilities: Capabilities::of(Version::new(3, 0, 66, 1)),
        sandbox: Sandbox::Plain,
        features: "ccache merge-wait".into(),
    };
    let command = build(&host, &BuildOptions::default());
    assert_eq!(
        env(&command, "FEATURES"),
        format!(
            "{} -ipc-sandbox -network-sandbox \
         -pid-sandbox -mount-sandbox ccache merge-wait",
            switched_features().join(" ")
        )
    );
    assert!(command.argv.contains(&"--jobs=1".to_owned()));
    assert!(!command.argv.iter().any(|arg| arg.starts_with("--load-average")));
}

#[test]
fn whatever_builds_has_the_cache_unless_the_container_says_otherwise() {
    let ccache = Ccache { directory: "/v/ccache".into(), size: 5 << 30 };
    let options = BuildOptions { ccache: Some(ccache.clone()), ..BuildOptions::default() };
    let host = Host { features: "-ccache".into(), ..new_host() };
    let package = Cpv::parse(b"sys-libs/zlib-1.3").expect("well formed");
    let follow = follow_up(&["perl-cleaner".into()], &host, &options);
    for command in [
        build(&host, &options),
        again(std::slice::from_ref(&package), Some("-j1"), &host, &options),
        rest(std::slice::from_ref(&package), &host, &options),
        rebuild(&[PRESERVED.to_owned()], Binaries::Ignore, &host, &options),
        self_update(&host, &options),
        beside(&package, &host, &options),
        follow,
    ] {
        let features = env(&command, "FEATURES");
        assert!(features.starts_with("ccache ") && features.ends_with(" -ccache"), "{features}");
        assert_eq!(env(&command, "CCACHE_DIR"), "/v/ccache");
        assert_eq!(env(&command, "CCACHE_MAXSIZE"), "5242880Ki");
        assert_eq!(env(&command, "CCACHE_UMASK"), "002");
        assert_eq!(env(&command, "CCACHE_SIZE"), "", "Portage's own way writes a file");
        // What lies in the directory is no configuration, for nobody.
        assert_eq!(env(&command, "CCACHE_CONFIGPATH"), "/etc/ccache.conf");
    }
    let asked = ccache_counters(&ccache);
    assert_eq!(asked.argv.join(" "), "timeout --kill-after=5 20 ccache --print-stats");
    assert_eq!(
        (env(&asked, "CCACHE_DIR"), env(&asked, "CCACHE_CONFIGPATH")),
        ("/v/ccache", "/etc/ccache.conf")
    );
    // Without it everything about ccache is as Portage has it.
    let plain = build(&new_host(), &BuildOptions::default());
    assert!(!env(&plain, "FEATURES").contains("ccache"));
    assert!(!plain.env.iter().any(|(name, _)| name.starts_with("CCACHE_")));
}

#[test]
fn a_rebuild_takes_no_binary_and_selects_by_link() {
    let command = rebuild(&[PRESERVED.to_owned()], Binaries::Ignore, &new_host(), &BuildOptions::default());
    for wanted in ["--usepkg=n", "--getbinpkg=n", "--oneshot"] {
        assert!(command.argv.iter().any(|arg| arg == wanted), "{wanted}");
    }
    assert!(!command.argv.iter().any(|arg| arg.starts_with("--changed-use")));
    assert!(!env(&command, "FEATURES").contains("buildpkg-proactive"));
    assert_eq!(command.argv.last().map(String::as_str), Some("@preserved-rebuild"));
}

#[test]
fn a_follow_up_gets_our_options_through_the_environment() {
    let options = BuildOptions { args: vec!["--exclude=a/b c/d".into()], ..BuildOptions::default() };
    let command = follow_up(&["perl-cleaner".into(), "--all".into()], &new_host(), &options);
    assert_eq!(command.argv, ["perl-cleaner", "--all"]);
    let defaults = env(&command, "EMERGE_DEFAULT_OPTS");
    assert!(defaults.starts_with("--color=n "), "{defaults}");
    assert!(defaults.ends_with(" '--exclude=a/b c/d'"), "{defaults}");
    assert!(!defaults.contains("--ignore-default-opts"));
    assert!(env(&command, "FEATURES").contains("buildpkg"));
}

#[test]
fn a_remerge_overwrites_at_most_what_nobody_owns() {
    let package = Cpv::parse(b"sys-libs/zlib-1.3").expect("well formed");
    let options = BuildOptions { exclude: vec!["sys-libs/zlib".into()], ..BuildOptions::default() };
    let again = remerge(&package, &new_host(), &options);
    let over = merge_over(&package, &new_host(), &options);
    assert!(!env(&again, "FEATURES").contains("-collision-protect"));
    assert!(env(&over, "FEATURES").ends_with("-collision-protect protect-owned"));
    assert!(over.argv.contains(&"--usepkgonly=y".to_owned()));
    for command in [again, over] {
        assert!(!env(&command, "FEATURES").contains("-protect-owned"));
        assert!(!command.argv.iter().any(|arg| arg.starts_with("--exclude")));
        assert_eq!(command.argv.last().map(String::as_str), Some("=sys-libs/zlib-1.3"));
    }
}

#[test]
fn portage_is_due_when_both_are_known_and_differ() {
    for (installed, available, due) in [
        ("sys-apps/portage-3.0.82\n", "sys-apps/portage-3.0.83\n", true),
        ("sys-apps/portage-3.0.83\n", "sys-apps/portage-3.0.83\n", false),
        ("\n", "sys-apps/portage-3.0.83\n", false),
        ("sys-apps/portage-3.0.83\n", "\n", false),
        (
            "sys-apps/portage-3.0.82\n",
            "--- Invalid atom in /etc/portage/package.use: x\nsys-apps/portage-3.0.83\n",
            true,
        ),
        ("", "", false),
    ] {
        let (installed, available) = (visible(installed.as_bytes()), visible(available.as_bytes()));
        assert_eq!(self_update_due(installed.as_ref(), available.as_ref()), due);
    }
}

#[test]
fn syncing_by_what_there_is() {
    assert_eq!(sync(&Syncer::EixSync).argv, ["eix-sync"]);
    assert_eq!(sync(&Syncer::Emaint).argv, ["emaint", "sync", "-a"]);
    assert_eq!(sync(&Syncer::Some(vec!["a".into(), "b".into()])).typed(), "emaint sync -r 'a b'");
    assert_eq!(sync(&Syncer::Custom(vec!["./pull".into(), "-q".into()])).argv, ["./pull", "-q"]);
}

#[test]
fn quoting_is_what_shlex_reads() {
    for (arg, want) in [("--a=b", "--a=b"), ("", "''"), ("a b", "'a b'"), ("it's", r#"'it'"'"'s'"#)] {
        assert_eq!(shell_quote(arg), want);
    }
}

#[test]
fn what_there_is_an_ebuild_of() {
    let command = mass_best_visible(&["test-quick/t1:0", "nonexist/foo:2"]);
    assert_eq!(command.typed(), "portageq mass_best_visible / ebuild test-quick/t1:0 nonexist/foo:2");
    let text = b"a warning\ntest-quick/t1:0:test-quick/t1-1\nnonexist/foo:2:\ntest-fail/slotlib:2:test-fail/slotlib-2\n";
    let version = |text: &str| Cpv::parse(text.as_bytes());
    let answers = [
        ("test-quick/t1:0", version("test-quick/t1-1")),
        ("nonexist/foo:2", None),
        ("test-fail/slotlib:2", version("test-fail/slotlib-2")),
    ];
    assert_eq!(versions(text), answers.map(|(atom, version)| (atom.to_owned(), version)).into());
    assert!(versions(b"Traceback (most recent call last)\nTypeError: x\n").is_empty(), "no answer is none");
}

#[test]
fn a_name_is_one_harmless_word_in_one_line() {
    for (name, word) in [
        ("/v/log/a:b-1.log", "/v/log/a:b-1.log"),
        ("/v/log/$(reboot).log", "'/v/log/$(reboot).log'"),
        ("it's", r#"'it'"'"'s'"#),
        ("a\nb\x1b[2J'\\", r"$'a\x0ab\x1b[2J\'\\'"),
        ("\u{9b}", r"$'\xc2\x9b'"),
    ] {
        assert_eq!(shell_word(name), word);
        let said =
            std::process::Command::new("bash").args(["-c", &format!("printf %s {word}")]).output().unwrap();
        assert_eq!(String::from_utf8(said.stdout).unwrap(), name);
    }
}

/// A clone of another user, whose settings name a program: git runs that when it looks at a commit that is signed.
#[test]
fn what_a_clone_names_runs_as_whoever_owns_it() {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, lchown};
    use std::process::Command;

    fn give(path: &std::path::Path) {
        lchown(path, Some(250), Some(250)).unwrap();
        if path.is_dir() {
            for entry in fs::read_dir(path).unwrap() {
                give(&entry.unwrap().path());
            }
        }
    }

    let place = tempfile::tempdir().unwrap();
    fs::set_permissions(place.path(), Permissions::from_mode(0o755)).unwrap();
    let clone = place.path().join("clone");
    let script = "set -e; git init --quiet clone; cd clone; \
        tree=$(git write-tree); \
        printf 'tree %s\\nauthor a <a> 1700000000 +0000\\ncommitter a <a> 1700000000 +0000\\ngpgsig -----BEGIN PGP SIGNATURE-----\\n \\n -----END PGP SIGNATURE-----\\n\\nx\\n' $tree >../commit; \
        git update-ref HEAD $(git hash-object -t commit -w ../commit); \
        git config log.showSignature true; git config gpg.program \"$PWD/program\"; \
        printf '#!/bin/sh\\nid -u >>%s/ran\\nexit 1\\n' \"$PWD\" >program; chmod 755 program";
    let mut made = Command::new("sh");
    assert!(made.args(["-c", script]).current_dir(place.path()).status().unwrap().success());
    give(&clone);
    let code = format!("import os\n{FACTS}\nprint(revision_of({:?}))\n", clone.display().to_string());
    let ran = Command::new("python3").args(["-I", "-c", &code]).output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(said.trim_end().ends_with(", 1700000000)"), "{said}{}", String::from_utf8_lossy(&ran.stderr));
    assert_eq!(fs::read_to_string(clone.join("ran")).unwrap(), "250\n");
}
