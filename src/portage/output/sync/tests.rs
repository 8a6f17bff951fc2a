use super::*;

fn repository(name: &str, sync_type: &str, uri: &str) -> Repository {
    Repository {
        name: name.into(),
        location: format!("/var/db/repos/{name}").into(),
        sync_type: sync_type.into(),
        sync_uri: uri.into(),
        auto_sync: true,
    }
}

/// The repositories of the captured runs.
fn captured() -> Vec<Repository> {
    vec![
        repository("a", "git", "file:///srv/a"),
        repository("b", "rsync", "rsync://127.0.0.1:9/b"),
        repository("c", "webrsync", "http://127.0.0.1:9"),
        repository("d", "zoo", "x"),
        repository("pocket", "git", "file:///srv/tree"),
    ]
}

fn heard(text: &str, repositories: &[Repository]) -> Heard {
    let mut heard = Heard::default();
    text.lines().for_each(|line| heard.line(line.as_bytes(), repositories));
    heard
}

fn synced(text: &str, how: &Syncer, exit: Option<i32>, chosen: &[Repository]) -> Synced {
    conclude(&heard(text, chosen), how, exit, chosen)
}

fn whys(synced: &Synced) -> Vec<(&str, &str)> {
    synced.repositories.iter().map(|one| (one.name.as_str(), one.why.as_deref().unwrap_or("-"))).collect()
}

#[test]
fn one_dead_repository_of_three() {
    let chosen = [
        repository("a", "git", "file:///srv/a"),
        repository("b", "git", "file:///srv/nowhere/b.git"),
        repository("pocket", "git", "file:///srv/tree"),
    ];
    let text = include_str!("../../../../tests/captured/sync-one-dead.txt");
    let synced = synced(text, &Syncer::Emaint, Some(1), &chosen);
    let why = "git clone error in /var/db/repos/b: fatal: repository '/srv/nowhere/b.git' does not exist";
    assert_eq!(whys(&synced), [("a", "-"), ("b", why), ("pocket", "-")]);
    assert_eq!(synced.sentence(), format!("the repository b could not be synced: {why}"));
    assert_eq!((synced.failed, synced.notes), (None, vec![]));
}

/// What `emaint sync -a` of Portage 3.0.83 printed with `[x` in /etc/portage/sets.conf, and with an unknown module.
#[test]
fn an_exception_of_portage_is_the_reason() {
    let one = [repository("pocket", "git", "file:///srv/tree")];
    for exception in [
        "configparser.MissingSectionHeaderError: File contains no section headers.",
        "ModuleNotFoundError: No module named 'portage.cache.nope'",
    ] {
        let text = format!(
            "Traceback (most recent call last):\n  File \"/usr/sbin/emaint\", line 60, in <module>\n    emaint_main(sys.argv)\n\
             {exception}\nfile: '/etc/portage/sets.conf', line: 1\n"
        );
        let synced = synced(&text, &Syncer::Emaint, Some(1), &one);
        assert!(synced.sentence().ends_with(exception), "{}", synced.sentence());
    }
}

/// git, rsync, webrsync and a kind that there is not, one after the other and mixed, with hooks that fail.
#[test]
fn each_kind_says_why() {
    let words = [
        ("a", "-"),
        ("b", "rsync: [Receiver] failed to connect to 127.0.0.1 (127.0.0.1): Connection refused (111)"),
        ("c", "emerge-webrsync error in /var/db/repos/c: emerge-webrsync: Repository 'gentoo' not found"),
        ("d", "ERROR: Sync module 'zoo' is not an installed/known type'"),
        ("pocket", "-"),
    ];
    for text in [
        include_str!("../../../../tests/captured/sync-kinds.txt"),
        include_str!("../../../../tests/captured/sync-parallel.txt"),
    ] {
        let synced = synced(text, &Syncer::Emaint, Some(1), &captured());
        assert_eq!(whys(&synced), words);
        assert_eq!(
            synced.notes,
            [
                "the hook /etc/portage/repo.postsync.d/50-repo failed after a was synced; see: /etc/portage/repo.postsync.d/50-repo",
                "the hook /etc/portage/postsync.d/90-bad failed after the sync; see: /etc/portage/postsync.d/90-bad",
            ]
        );
        assert!(synced.sentence().starts_with("the repositories b, c, d could not be synced: b: rsync: "));
    }
}

#[test]
fn a_hook_that_fails_is_no_failure_of_a_repository() {
    let text = "=== Sync completed for pocket\n \u{1b}[31;01m*\u{1b}[39;49;00m Spawn failed for: 90-bad, /etc/portage/postsync.d/90-bad\nAction: sync for repo: pocket, returned code = 0\nAction: post-sync for repo: None, returned code = 3\n";
    let chosen = [repository("pocket", "git", "")];
    let synced = synced(text, &Syncer::Emaint, Some(1), &chosen);
    assert!(synced.is_whole());
    assert!(synced.notes[0].contains("/etc/portage/postsync.d/90-bad"), "{:?}", synced.notes);
}

#[test]
fn what_stops_all_is_passed_by_with_names() {
    let text = include_str!("../../../../tests/captured/sync-refused.txt");
    let heard = heard(text, &captured());
    let (how, note) = instead(&heard, &Syncer::Emaint, Some(1), &captured()).unwrap();
    assert_eq!(how, Syncer::Some(["a", "b", "d", "pocket"].map(str::to_owned).to_vec()));
    assert!(note.contains("because of c (it has no sync-uri in repos.conf)"), "{note}");
    let alone = conclude(&heard, &Syncer::Some(vec!["c".into()]), Some(1), &captured()[2..3]);
    assert_eq!(alone.sentence(), "the sync failed: c: it has no sync-uri in repos.conf");
    // A command of the operator is not replaced by another one.
    let custom = Syncer::Custom(vec!["/opt/pull".into()]);
    assert_eq!(instead(&heard, &custom, Some(1), &captured()), None);
    let custom = conclude(&heard, &custom, Some(1), &captured());
    assert_eq!(whys(&custom)[0], ("a", "Portage syncs nothing because of c"));
    assert_eq!(whys(&custom)[2], ("c", "it has no sync-uri in repos.conf"));
}

#[test]
fn eix_sync_that_synced_nothing() {
    let one = [repository("pocket", "git", "file:///srv/tree")];
    let begun = ">>> Syncing repository 'pocket' into '/var/db/repos/pocket'...\n";
    let done =
        format!("{begun}=== Sync completed for pocket\nAction: sync for repo: pocket, returned code = 0\n");
    let fell_back = |text: &str, exit| {
        instead(&heard(text, &one), &Syncer::EixSync, exit, &one).map(|(how, note)| {
            assert_eq!(how, Syncer::Emaint);
            note
        })
    };
    // Nothing was synced: each line is of a real run.
    let cannot = "cannot open database file /var/cache/eix/portage.eix for writing (mode = 'wb')";
    let dash = "Illegal option -Z";
    let bash = "/usr/bin/eix-sync: illegal option -- Z";
    let push = "push.sh from https://github.com/vaeth/push/ is needed";
    for (text, exit, why, look) in [
        (format!(" * Running eix-update\n{cannot}\n * eix-update failed\n"), Some(2), cannot, "eix-update"),
        (format!("{dash}\n"), Some(1), dash, "eix-sync -nv"),
        (format!("{bash}\n"), Some(1), bash, "eix-sync -nv"),
        (format!(" * {push}\n"), Some(2), push, "eix-sync -nv"),
        (
            " * Your eix-sync configuration contains an obsolete hook\n".to_owned(),
            Some(1),
            "contains an obsolete hook",
            "eix-sync -nv",
        ),
        (
            " * Running !-hooks\n * Something went wrong with false\n".to_owned(),
            Some(2),
            "its hook failed: false",
            "less /etc/eix-sync.conf",
        ),
        (
            " * Syncing portage overlay x\n * layman -s x failed\n".to_owned(),
            Some(2),
            "layman -s x failed",
            "less /etc/eix-sync.conf",
        ),
        (String::new(), None, "did not come to an end", "eix-sync -nv"),
        // Options that have it sync nothing: -0, -n, -h.
        (
            " * Copying old database to /var/cache/eix/previous.eix\n * Running eix-update\n".to_owned(),
            Some(0),
            "as its options say",
            "eix-sync -nv",
        ),
        (
            " * Running emerge --sync\n * Calling eix-diff\n".to_owned(),
            Some(0),
            "as its options say",
            "eix-sync -nv",
        ),
        ("Usage: eix-sync [options]\n".to_owned(), Some(0), "as its options say", "eix-sync -nv"),
    ] {
        let note = fell_back(&text, exit).unwrap();
        assert!(
            note.contains(why) && note.ends_with(&format!("so emaint sync -a did; see: {look}")),
            "{note}"
        );
    }
    // What is quiet, and a command of the operator, may have synced.
    for text in
        [" * Running emerge --sync --quiet\n", " * Running emerge-webrsync\n", " * rsyncing from host:/x/\n"]
    {
        assert_eq!(fell_back(text, Some(0)), None, "{text}");
    }
    // What the sync itself failed with, and what follows a sync, is no reason for another.
    for text in [" * emerge --sync failed\n", " * emerge-webrsync failed\n", done.as_str()] {
        assert_eq!(fell_back(text, Some(2)), None, "{text}");
    }
    assert_eq!(fell_back("", Some(0)), None);
    assert_eq!(fell_back("", Some(3)), None);
}

#[test]
fn eix_sync_and_its_words() {
    let one = [repository("pocket", "git", "file:///srv/tree")];
    let begun = ">>> Syncing repository 'pocket' into '/var/db/repos/pocket'...\n";
    let done =
        format!("{begun}=== Sync completed for pocket\nAction: sync for repo: pocket, returned code = 0\n");
    // The index is no part of the tree.
    for (words, note) in [
        (" * eix-update failed\n", "since eix-update failed; try: eix-update"),
        (
            "error while writing to database\n * eix-update failed\n",
            "failed: error while writing to database; try",
        ),
        (" * Something went wrong with egencache\n", "a hook of eix-sync failed: egencache"),
        (" * layman -S failed\n", "an overlay was not synced: layman -S failed"),
    ] {
        let text = format!("{done}{words}");
        for how in [Syncer::EixSync, Syncer::Custom(vec!["/usr/bin/eix-sync".into(), "-v".into()])] {
            let synced = synced(&text, &how, Some(2), &one);
            assert!(synced.is_whole(), "{words}");
            assert!(synced.notes[0].contains(note), "{:?}", synced.notes);
        }
        assert_eq!(
            leaves_index(&heard(&text, &one), Some(2), true),
            !words.contains("eix-update"),
            "{words}"
        );
    }
    // The index is there, or eix-update is tried again: nobody has to do anything.
    for words in [
        " * failed to diff against current cache\n",
        " * Could not copy database to /var/cache/eix/previous.eix\n",
    ] {
        let text = format!("{done}{words}");
        assert!(!synced(&text, &Syncer::EixSync, Some(2), &one).notes[0].contains("older tree"));
        assert!(leaves_index(&heard(&text, &one), Some(2), true));
    }
    // Only the main repository decides for eix-sync whether anything is new.
    let done = format!(" * Running emerge --sync\n{done}");
    let unchanged = format!("{done} * Main gentoo tree does not appear to have changed: exiting\n");
    for is_new in [true, false] {
        assert_eq!(leaves_index(&heard(&unchanged, &one), Some(0), is_new), is_new);
        assert!(!leaves_index(&heard(&done, &one), Some(0), is_new));
    }
    // SIGTERM ended it, and it ended with 0 all the same.
    let cut = synced(
        &format!(" * Running emerge --sync\n{begun}\n\nExiting on signal 15\n"),
        &Syncer::EixSync,
        Some(0),
        &one,
    );
    assert_eq!(cut.sentence(), "the sync failed: pocket: Exiting on signal 15");
    let text = format!(
        "{begun}fatal: no route\n!!! git fetch error in /var/db/repos/pocket\nAction: sync for repo: pocket, returned code = 128\n * emerge --sync failed\n"
    );
    let failed = synced(&text, &Syncer::EixSync, Some(2), &one);
    assert_eq!(
        failed.sentence(),
        "the sync failed: pocket: git fetch error in /var/db/repos/pocket: fatal: no route"
    );
    assert_eq!(failed.notes, [""; 0]);
    assert!(leaves_index(&heard(&text, &one), Some(2), true));
    // It was quiet.
    assert_eq!(
        synced(" * emerge --sync failed\n", &Syncer::EixSync, Some(2), &one).sentence(),
        "the sync failed: eix-sync: emerge --sync failed"
    );
    assert!(synced("", &Syncer::EixSync, Some(3), &one).is_whole());
    assert!(!synced("", &Syncer::Emaint, Some(3), &one).is_whole());
}

#[test]
fn a_command_of_the_operator() {
    let custom = Syncer::Custom(vec!["/opt/pull".into(), "-q".into()]);
    let all = captured();
    assert!(synced("", &custom, Some(0), &all).is_whole());
    assert_eq!(
        synced("", &custom, Some(1), &all).sentence(),
        "the sync failed: /opt/pull -q ended with status 1 and gave no reason"
    );
    assert_eq!(synced("", &custom, None, &all).sentence(), "the sync failed: /opt/pull -q was killed");
    assert_eq!(
        synced("fatal: no route\n", &custom, Some(128), &[]).sentence(),
        "the sync failed: fatal: no route"
    );
}

/// What is cut short says nothing of those that were not begun; what had completed is done.
#[test]
fn a_sync_that_was_killed() {
    let text = ">>> Syncing repository 'a' into '/var/db/repos/a'...\n=== Sync completed for a\n>>> Syncing repository 'b' into '/var/db/repos/b'...\n";
    let chosen = [repository("a", "git", ""), repository("b", "git", ""), repository("c", "git", "")];
    let synced = synced(text, &Syncer::Emaint, None, &chosen);
    assert_eq!(
        whys(&synced),
        [("a", "-"), ("b", "it did not come to an end"), ("c", "the sync ended before its turn")]
    );
}

#[test]
fn what_is_there_is_held_against_what_was_said() {
    let mut local = repository("l", "", "");
    local.auto_sync = true;
    let mut all = captured();
    all.push(local);
    let repositories = Repositories { main: Some("pocket".into()), all };
    let chosen = chosen(&repositories, &[]);
    assert_eq!(chosen.len(), 5);
    let there = |missing: &[&str]| -> BTreeMap<String, bool> {
        repositories.all.iter().map(|one| (one.name.clone(), !missing.contains(&one.name.as_str()))).collect()
    };
    let revisions: BTreeMap<String, String> = [("a".to_owned(), "f00".to_owned())].into();
    let look = |exit, missing: &[&str]| {
        let mut synced = synced("", &Syncer::Custom(vec!["true".into()]), exit, &chosen);
        compare(&mut synced, &repositories, &there(missing), &revisions);
        synced
    };
    let good = look(Some(0), &[]);
    assert!(good.is_whole());
    assert_eq!(good.repositories[0].revision.as_deref(), Some("f00"));
    assert!(look(Some(0), &["l"]).notes[0].contains("nothing syncs it: /var/db/repos/l"));
    let half = look(Some(0), &["a"]);
    assert_eq!(
        half.sentence(),
        "the repository a could not be synced: its sync said that all was well, but /var/db/repos/a has no profiles/repo_name"
    );
    let empty = look(Some(0), &["pocket"]);
    let lack = empty.lack.unwrap();
    assert!(lack.lasting);
    assert_eq!(
        lack.sentence(),
        "the main repository pocket is not there: /var/db/repos/pocket has no profiles/repo_name; it is synced from file:///srv/tree"
    );
    let failed = look(Some(1), &["pocket"]).lack.unwrap();
    assert!(!failed.lasting);
    assert!(
        failed
            .sentence()
            .ends_with("it is synced from file:///srv/tree: true ended with status 1 and gave no reason")
    );
}

#[test]
fn real_syncs() {
    let one = [repository("pocket", "git", "file:///srv/tree")];
    for text in [
        include_str!("../../../../tests/captured/sync-changed.txt"),
        include_str!("../../../../tests/captured/sync-nothing-new.txt"),
        include_str!("../../../../tests/captured/sync-portage-update.txt"),
    ] {
        assert!(synced(text, &Syncer::Emaint, Some(0), &one).is_whole());
    }
    let failed = include_str!("../../../../tests/captured/sync-unreachable.txt");
    assert_eq!(
        synced(failed, &Syncer::Emaint, Some(1), &one).sentence(),
        "the sync failed: pocket: git fetch error in /var/db/repos/pocket: fatal: '/srv/tree' does not appear to be a git repository"
    );
    let half = include_str!("../../../../tests/captured/sync-half-clone.txt");
    assert_eq!(
        synced(half, &Syncer::Emaint, Some(1), &one).sentence(),
        "the sync failed: pocket: git rev-parse error in /var/db/repos/pocket: fatal: no such branch: 'main'"
    );
}

#[test]
fn revisions_are_the_newest_of_each() {
    let revisions = revisions(br#"{"x": ["bb", "aa"], "empty": [], "y": ["cc"]}"#);
    assert_eq!(
        revisions.into_iter().collect::<Vec<_>>(),
        [("x".into(), "bb".into()), ("y".into(), "cc".into())]
    );
    assert!(super::revisions(b"{").is_empty());
}

#[test]
fn a_clone_without_its_files_is_not_synced() {
    let tree = repository("pocket", "git", "file:///srv/tree");
    let mut synced = Synced {
        repositories: vec![Outcome { name: "pocket".to_owned(), ..Outcome::default() }],
        ..Synced::default()
    };
    synced.complete(&tree, 0, 0, true);
    assert!(synced.is_whole() && synced.repairs.is_empty() && synced.notes.is_empty());
    synced.complete(&tree, 2, 0, false);
    assert!(
        synced.is_whole() && synced.repairs[0].contains("2 files were missing of pocket in "),
        "{synced:?}"
    );
    assert!(synced.notes[0].starts_with("what is checked out of pocket is not its revision"), "{synced:?}");
    synced.complete(&tree, 2, 1, true);
    assert!(synced.sentence().contains("pocket: 1 of its files is not there, in "), "{}", synced.sentence());
}

#[test]
fn a_clone_that_git_cannot_read_is_named_with_what_makes_a_new_one() {
    let tree = repository("my tree", "git", "file:///srv/tree");
    let dead = Outcome {
        name: "my tree".to_owned(),
        why: Some("it ended with status 128 and gave no reason".to_owned()),
        ..Outcome::default()
    };
    let mut synced = Synced { repositories: vec![dead], ..Synced::default() };
    assert_eq!(synced.repositories[0].command(), "emaint sync -r 'my tree'");
    synced.damaged(&tree, "bad object HEAD");
    let place = tree.location.display();
    assert_eq!(
        synced.sentence(),
        format!("the sync failed: my tree: git cannot read its clone in {place} (bad object HEAD)")
    );
    let command = synced.repositories[0].command();
    assert!(
        command.starts_with("mv -T ") && command.ends_with(".damaged' && emaint sync -r 'my tree'"),
        "{command}"
    );
}

/// The words of `portage/sync/modules/rsync/rsync.py` and of gemato.
#[test]
fn a_tree_that_is_not_what_gentoo_signed() {
    let tree = repository("gentoo", "rsync", "rsync://rsync.example/gentoo-portage");
    let mut heard = Heard::default();
    for line in [
        ">>> Syncing repository 'gentoo' into '/var/db/repos/gentoo'...",
        " * Using keys from /usr/share/openpgp-keys/gentoo-release.asc",
        " * Verifying /var/db/repos/gentoo/.tmp-unverified-download-quarantine ...",
        "!!! Manifest verification failed:",
        "Manifest mismatch for app-misc/x/x-1.ebuild",
        "  __size__: expected: 71, have: 69",
        "Action: sync for repo: gentoo, returned code = 1",
    ] {
        heard.line(line.as_bytes(), std::slice::from_ref(&tree));
    }
    let synced = conclude(&heard, &Syncer::Emaint, Some(1), &[tree]);
    assert_eq!(
        synced.sentence(),
        "the sync failed: gentoo: Manifest verification failed: Manifest mismatch for app-misc/x/x-1.ebuild"
    );
}
