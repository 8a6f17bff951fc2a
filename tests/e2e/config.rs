//! Configuration that Portage cannot read, and packages that are whole and cannot be used here.

use std::collections::BTreeSet;

use gbsup::model::failure::{Class, Failure};
use gbsup::model::status::{Mode, Status};
use gbsup::portage::output::{complaints, problem};

use crate::sign::KEYS;
use crate::support::{Builder, Recipe, feed, image};

#[track_caller]
fn only(status: &Status) -> Failure {
    let failures = status.pause.as_ref().map(|pause| pause.failures.clone()).unwrap_or_default();
    let [failure] = failures.as_slice() else { panic!("{}: {failures:#?}", status.headline) };
    failure.clone()
}

/// Breaks something, resumes, and expects to be told of it.
#[track_caller]
fn refused(builder: &mut Builder, broken: &str, class: Class, words: &[&str]) -> Failure {
    builder.sh(broken);
    builder.resume();
    let status = builder.wait_paused();
    let failure = only(&status);
    assert_eq!(failure.class, class, "{broken}: {failure:#?}");
    for word in words {
        assert!(failure.message.contains(word), "{broken}: {failure:#?}");
    }
    assert!(!failure.suggestions.is_empty() && !failure.evidence.is_empty(), "{failure:#?}");
    failure
}

/// Files that Portage cannot read, and what is to be told of them.
const BROKEN: &str = "printf '# mine\\n\\nnot an atom\\n' >/etc/portage/package.mask; \
     mkdir -p /etc/portage/env/test-quick; \
     printf '%s\n' 'test-quick/t4 nope.conf' 'test-quick/t5 open.conf' >/etc/portage/package.env; \
     printf '%s\n' FOO=1 'CFLAGS=\"-O2' >/etc/portage/env/open.conf; echo 'if' >/etc/portage/env/test-quick/t4; echo '[half' >>/etc/portage/repos.conf";
const TOLD: &[&str] = &[
    "/etc/portage/make.conf/more, line 2: /nope: No such file or directory",
    "/etc/portage/package.mask, line 3: Invalid atom: not an atom",
    "/etc/portage/package.env, line 1: it references the non-existent file /etc/portage/env/nope.conf",
    "/etc/portage/env/open.conf, line 2: No closing quotation",
    "/etc/portage/env/test-quick/t4, line 2: syntax error: unexpected end of file",
    "/etc/portage/repos.conf, line 9: Error while reading repo config file",
];

#[test]
fn what_portage_cannot_read_is_named_before_anything_is_synced_or_built() {
    let mut builder = Recipe::new(&["test-quick/t4"])
        .config("[sync]\nmin_interval = \"1s\"\n")
        .file("/etc/portage/make.conf/more", "CFLAGS=\"-O1\"\nsource /nope\n")
        .start();
    assert_eq!(only(&builder.wait_paused()).class, Class::Config);
    let failure = refused(&mut builder, BROKEN, Class::Config, &[TOLD[0], "and 5 more"]);
    for told in TOLD {
        assert!(failure.evidence.iter().any(|line| line.starts_with(told)), "{told}: {failure:#?}");
    }
    let checked = builder.gbsup(&["plan", "--now"]);
    assert!(checked.code == 1 && checked.out.contains(TOLD[1]), "{}{}", checked.out, checked.err);
    builder
        .sh("cd /etc/portage && rm make.conf/more package.mask package.env && rm -r env && sed -i '/half/d' repos.conf");
    refused(
        &mut builder,
        "echo @nope >/var/lib/portage/world_sets",
        Class::Config,
        &["@nope", "no such set"],
    );
    let tmpdir = "rm /var/lib/portage/world_sets; echo PORTAGE_TMPDIR=/nope >/etc/portage/make.conf/more";
    let words = ["PORTAGE_TMPDIR is /nope", "/etc/portage/make.conf/more, line 1"];
    refused(&mut builder, tmpdir, Class::Config, &words);
    for (line, words) in [
        ("BINPKG_COMPRESS=none", "BINPKG_COMPRESS is none"),
        ("PORTAGE_COMPRESS=nosuchzip", "PORTAGE_COMPRESS is nosuchzip, which is not installed"),
        ("ROOT=/mnt", "ROOT is /mnt/, so Portage would update the system there"),
        ("CFLAGS=\"-march=nosuch\"", "CFLAGS has what gcc refuses, and whatever is compiled would fail: "),
        ("LDFLAGS=\"-Wl,--nosuch\"", "unrecognized option '--nosuch'"),
    ] {
        let set = format!("echo '{line}' >/etc/portage/make.conf/more");
        refused(&mut builder, &set, Class::Config, &[words, "/etc/portage/make.conf/more, line 1"]);
    }
    assert!(!builder.logs().contains("Syncing repository"), "nothing was synced");
    assert_eq!(builder.compiled(), [""; 0]);

    // What a client has in its make.conf, and a key with which Portage signs.
    builder.sh(KEYS);
    builder.sh(
        "printf '%s\\n' 'FEATURES=\"${FEATURES} getbinpkg binpkg-request-signature compress-build-logs\"' \
         BINPKG_COMPRESS=xz MAKEOPTS=-j >/etc/portage/make.conf/zmine && rm /etc/portage/make.conf/more",
    );
    builder.resume();
    let status = builder.wait_waiting();
    assert!(
        status
            .warnings
            .iter()
            .any(|told| told.contains("/etc/portage/make.conf/zmine, line 3: MAKEOPTS is -j"))
    );
    assert_eq!(builder.compiled(), ["test-quick/t4-1"]);
    let packages = builder.packages();

    // Each of these makes Portage call the package invalid. It is whole, and it is still there afterwards.
    let next = |builder: &mut Builder, broken: &str, words: &[&str]| {
        builder.sh(broken);
        builder.gbsup(&["sync"]).ok();
        builder.wait_for("it runs", |status| status.state == Mode::Running);
        let failure = only(&builder.wait_paused());
        assert_eq!(failure.class, Class::BinpkgUnusable, "{failure:#?}");
        for word in words {
            assert!(failure.message.contains(word), "{failure:#?}");
        }
        failure
    };
    let failure = next(
        &mut builder,
        "sed -i /COMPRESS/d /etc/portage/make.conf/zmine; mv /usr/bin/xz /usr/bin/xz.away",
        &["is whole", "xz is not installed (app-arch/xz-utils)"],
    );
    assert!(failure.suggestions[0].ends_with("app-arch/xz-utils"), "{failure:#?}");
    builder.sh("mv /usr/bin/xz.away /usr/bin/xz");
    builder.resume();
    builder.wait_waiting();
    let expire = "key=$(gpg --homedir /root/builder --with-colons --list-keys | awk -F: '$1 == \"fpr\" { print $10; exit }'); \
         gpg --homedir /root/builder --batch --quick-set-expire $key seconds=1 && \
         gpg --homedir /root/builder --export | gpg --homedir /etc/portage/gnupg --batch --import && \
         until gpg --homedir /etc/portage/gnupg --with-colons --list-keys | grep -q ^pub:e; do sleep 0.1; done; \
         gpgconf --homedir /etc/portage/gnupg --kill all; chmod -R a+rX /etc/portage/gnupg";
    for (broken, words) in
        [("rm -r /etc/portage/gnupg", "/etc/portage/gnupg has no key"), (expire, "has expired")]
    {
        for command in next(&mut builder, broken, &[words]).suggestions {
            builder.sh(&command);
        }
        builder.resume();
        builder.wait_waiting();
    }
    assert_eq!(builder.packages(), packages);
    assert_eq!(builder.compiled(), ["test-quick/t4-1"], "nothing was built again");
    assert!(!builder.on_volume("quarantine").exists());
    builder.assert_tidy();
}

/// What is wrong, what `gbsup plan --now` ends with, and what it says. Portage ends with 0 for most of these, and says nothing of some.
const FAULTS: &[(&str, i32, &str)] = &[
    (
        "mkdir repos.conf.d && mv repos.conf repos.conf.d/a && mv repos.conf.d repos.conf && echo '[x' >repos.conf/b",
        1,
        "/etc/portage/repos.conf/b, line 1: Error while reading repo config file: File contains no section headers",
    ),
    (
        "rm repos.conf",
        1,
        "there is no ebuild repository, and so nothing to build: /etc/portage/repos.conf is not there",
    ),
    (
        "printf '[empty]\n' >>repos.conf",
        1,
        "line 9: Section 'empty' in repos.conf is missing location attribute",
    ),
    ("mkdir categories", 1, "Is a directory: '/etc/portage/categories'"),
    (
        "ln -sfn /nope make.profile",
        1,
        "the profile is gone: /etc/portage/make.profile points to /nope, which is not there",
    ),
    (
        "echo 99 >$P/profiles/default/eapi",
        1,
        "Portage cannot read the profile: Profile contains unsupported EAPI '99'",
    ),
    (
        "echo . >$P/profiles/default/parent",
        1,
        "/var/db/repos/pocket/profiles/default/parent leads back to a profile that leads to it",
    ),
    (
        "echo PKGDIR=here >make.conf/zzz",
        1,
        "/etc/portage/make.conf/zzz, line 1: PKGDIR is here, and it has to begin with a slash",
    ),
    ("echo MAKEOPTS=-j8, >make.conf/zzz", 1, "/etc/portage/make.conf/zzz, line 1: MAKEOPTS has -j8,"),
    (
        "echo DISTDIR=/etc/hosts >make.conf/zzz",
        1,
        "DISTDIR is /etc/hosts, which is not a directory (/etc/portage/make.conf/zzz, line 1)",
    ),
    ("rm $P/profiles/categories", 5, "its category is listed neither in profiles/categories of a repository"),
    ("echo default/new >$P/profiles/default/deprecated", 0, "note: the profile is deprecated"),
    (
        "echo 'test-quick/t5 a,b' >package.use",
        0,
        "note: /etc/portage/package.use, line 1: a,b is not a USE flag and does nothing",
    ),
    (
        "echo 'test-quick/t5 ~~amd64' >package.accept_keywords",
        0,
        "line 1: ~~amd64 is not a keyword and does nothing",
    ),
    (
        "printf '[x]\nfilename = /nope\n' >sets.conf",
        0,
        "sets.conf, line 2: /nope is not there, so a set is empty",
    ),
    (
        "mkdir -p /srv/o/profiles && echo o >/srv/o/profiles/repo_name && printf '[o]\nlocation = /srv/o\n' >>repos.conf",
        0,
        "note: Repository 'o' is missing masters attribute",
    ),
    ("ln -s /nope binrepos.conf", 0, "test-quick/t5-1"),
];

#[test]
fn each_fault_of_the_configuration_stops_or_is_told() {
    let builder = Builder::settled(&["test-quick/t4"]);
    builder.set_world(&["test-quick/t5"]);
    builder.sh("cp -a /etc/portage /root/etc; cp -a /var/db/repos/pocket /root/tree");
    for (fault, code, words) in FAULTS {
        builder.sh(&format!("P=/var/db/repos/pocket; cd /etc/portage; {fault}"));
        let ran = builder.gbsup(&["plan", "--now"]);
        let said = format!("{}{}", ran.out, ran.err);
        assert!(ran.code == *code && said.contains(words), "{fault}: {} {said}", ran.code);
        builder.sh(
            "rm -r /etc/portage /var/db/repos/pocket; cp -a /root/etc /etc/portage; cp -a /root/tree /var/db/repos/pocket",
        );
    }
    builder.remove();
}

#[test]
fn a_profile_that_the_tree_broke_is_repaired_by_the_tree() {
    let mut builder = Builder::settled(&["test-quick/t4"]);
    builder
        .sh("cd /srv/tree && echo ../nope >profiles/default/parent && git add -A && git commit -qm broken");
    builder.gbsup(&["sync"]).ok();
    builder.wait_cycle(2);
    let failure = only(&builder.wait_paused());
    assert_eq!(failure.class, Class::ProfileInvalid);
    assert!(failure.message.contains("/profiles/nope' not found"), "{failure:#?}");
    assert_eq!(failure.suggestions[0], "cat /var/db/repos/pocket/profiles/default/parent");
    builder.sh("cd /srv/tree && git revert --no-edit HEAD >/dev/null");
    builder.resume();
    builder.wait_waiting();
    builder.assert_tidy();
}

/// Portage's own source has every line by which its troubles are known. What is put together from pieces was captured
/// in a real run instead.
#[test]
fn portage_has_the_words_that_are_looked_for() {
    let script = include_str!("../captured/find-markers");
    let captured =
        std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/captured")).expect("they are there");
    let captured: Vec<String> =
        captured.flatten().filter_map(|entry| std::fs::read_to_string(entry.path()).ok()).collect();
    let was_seen = |(starts, contains): &(String, String)| {
        let mut lines = captured.iter().flat_map(|text| text.lines());
        lines.any(|line| line.starts_with(starts.as_str()) && line.contains(contains.as_str()))
    };
    let texts = problem::texts().into_iter().chain(complaints::texts());
    let unseen =
        texts.filter(|text| !was_seen(text)).map(|(starts, contains)| format!("{starts}\t{contains}\n"));
    let run = ["run", "--rm", "--interactive", "--entrypoint", "python3", image(), "-c", script];
    let ran = feed(&run, unseen.collect::<String>().as_bytes());
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
}

/// The programs that a step ran for an answer, and did not know it from before.
fn asked(builder: &Builder, cycle: u64, step: &str) -> String {
    let log = builder.step_log(cycle, step);
    let questions = log.split("Z $ ").skip(1);
    let asked =
        questions.filter(|question| !question.contains("nothing that it depends on has changed since"));
    let asked: BTreeSet<_> = asked.filter_map(|question| question.split_whitespace().next()).collect();
    asked.into_iter().collect::<Vec<_>>().join(" ")
}

#[test]
fn an_answer_counts_until_something_that_it_depends_on_changes() {
    let mut builder = Recipe::settled(&["test-quick/t1"]).start();
    let mut cycle = builder.wait_waiting().cycle.map_or(0, |cycle| cycle.id);
    let conf = "/etc/portage/make.conf/zz-more.conf";
    builder.sh(&format!("echo 'source /srv/more' >{conf} && echo '# nothing yet' >/srv/more"));
    let mut after = |change: &str| {
        builder.sh(change);
        cycle += 1;
        builder.gbsup(&["sync", "--wait"]).ok();
        builder.wait_cycle(cycle);
        ["preflight", "self-update"].map(|step| asked(&builder, cycle, step))
    };
    // The first sync of a container writes in its layer what it got from the image.
    after("true");
    after("true");
    assert_eq!(after("true"), ["", ""]);
    // What make.conf reads, with other flags.
    assert_eq!(after("echo 'CFLAGS=\"-O1 -pipe\"' >/srv/more"), ["portageq sh", ""]);
    assert_eq!(after("true"), ["", ""]);
    // What was not there.
    assert_eq!(after("echo 'test-quick/t1 foo' >/etc/portage/package.use"), ["emaint portageq", ""]);
    assert_eq!(after("true"), ["", ""]);
    // A profile that the sync brings.
    let profile =
        "cd /srv/tree && echo '# changed' >>profiles/default/make.defaults && git commit -qam profile";
    assert_eq!(after(profile), ["", "portageq"]);
    after("true");
    assert_eq!(after("true"), ["", ""]);
    // A binary package, and a compiler.
    assert_eq!(after("touch $(find /var/lib/gbsup/binpkgs -name 't1-*.gpkg.tar')"), ["emaint", ""]);
    after("true");
    assert_eq!(
        after("gcc=$(command -v gcc) && mv $gcc $gcc.real && ln -s $gcc.real $gcc"),
        ["portageq sh", ""]
    );
    assert_eq!(after("true"), ["", ""]);
}
