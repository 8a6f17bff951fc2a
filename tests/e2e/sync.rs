//! Syncing: real repositories, unreachable ones, and how often.

use gbsup::model::failure::Class;
use gbsup::model::status::{Mode, Status};

use crate::support::{Builder, Recipe};

/// The stand-in for eix-sync, which ends as the real one does.
const EIX_SYNC: &str = include_str!("support/eix-sync");

/// The main repository at a place where a clone was cut short, and another one that is nowhere.
const REPOSITORIES: &str = "\
[DEFAULT]
main-repo = pocket

[pocket]
location = /var/db/repos/fresh
sync-type = git
sync-uri = file:///srv/tree

[gone]
location = /var/db/repos/gone
sync-type = git
sync-uri = file:///srv/nowhere/gone.git
";

fn wait_synced_cycle(builder: &mut Builder, id: u64) -> Status {
    builder.wait_cycle(id);
    builder.wait_waiting()
}

#[test]
fn an_unreachable_repository_is_tried_again_and_then_the_old_tree_is_built() {
    let recipe = Recipe::new(&["test-quick/t1"]).config("[sync]\nretries = [\"1s\", \"2s\"]\n");
    let mut builder = recipe.start();
    let before = builder.wait_waiting();
    assert_eq!(before.sync.stale_since, None);
    builder.tree(&["hide"]);
    builder.gbsup(&["sync"]).ok();
    for attempt in ["attempt 2 of 3", "attempt 3 of 3"] {
        let status = builder.wait_for(attempt, |status| status.headline.contains(attempt));
        assert_eq!((status.state, status.step.as_str()), (Mode::Running, "sync"));
        assert!(status.headline.contains("trying again in"), "{}", status.headline);
    }
    let status = wait_synced_cycle(&mut builder, 2);
    assert_eq!(status.sync.stale_since, before.sync.last, "as old as the last sync that worked");
    assert_eq!(status.sync.last, before.sync.last);
    assert!(status.headline.contains("with the tree of an earlier sync"), "{}", status.headline);
    assert!(status.warnings.iter().any(|warning| warning.contains("the tree is as old as")));
    assert!(builder.steps(2).contains(&"plan".to_owned()), "it was looked at");
    assert_eq!(builder.step_log(2, "sync").matches("$ emaint sync -a").count(), 3);

    // Failed attempts count: a restart does not try again, and still says how old the tree is.
    assert_eq!(builder.stop().1, 0);
    builder.start();
    let status = wait_synced_cycle(&mut builder, 3);
    assert!(!builder.steps(3).contains(&"sync".to_owned()));
    assert_eq!(status.sync.stale_since, before.sync.last);

    builder.tree(&["show"]);
    builder.gbsup(&["sync"]).ok();
    let status = wait_synced_cycle(&mut builder, 4);
    assert_eq!(status.sync.stale_since, None);
    assert!(status.sync.last > before.sync.last);
    assert_eq!(status.warnings, [""; 0]);
}

#[test]
fn a_sync_that_fails_pauses_when_told_to() {
    let recipe = Recipe::settled(&["test-quick/t1"]).config("[sync]\nretries = []\non_failure = \"pause\"\n");
    let mut builder = recipe.start();
    builder.wait_waiting();
    builder.tree(&["hide"]);
    builder.gbsup(&["sync"]).ok();
    let status = builder.wait_for("it is paused", |status| status.state == Mode::Paused);
    let failures = status.pause.map(|pause| pause.failures).unwrap_or_default();
    assert_eq!(failures.first().map(|failure| failure.class), Some(Class::Sync), "{failures:#?}");
    builder.tree(&["show"]);
    builder.resume();
    let status = builder.wait_waiting();
    assert_eq!(status.cycle.map(|cycle| cycle.id), Some(2));
    assert_eq!(builder.step_log(2, "sync").matches("$ emaint sync -a").count(), 2);
}

#[test]
fn resume_and_usr1_do_not_wait_for_the_next_attempt() {
    let mut builder = Recipe::settled(&["test-quick/t1"]).config("[sync]\nretries = [\"1h\"]\n").start();
    builder.wait_waiting();
    let waits = |status: &Status| status.headline.contains("trying again in");
    for (cycle, ask) in [(2, "USR2"), (3, "USR1")] {
        builder.tree(&["hide"]);
        builder.gbsup(&["sync"]).ok();
        builder.wait_for("it waits for the next attempt", waits);
        builder.tree(&["show"]);
        builder.signal(ask);
        builder.wait_for("it goes on", |status| !waits(status));
        let status = builder.wait_waiting();
        assert_eq!(status.cycle.map(|cycle| cycle.id), Some(cycle));
        assert_eq!(status.sync.stale_since, None);
    }
}

/// In the log of an audit that tries out whether clients can install what is offered.
const TRIED: &str = "$ ROOT=/run/gbsup/trial/root ";

/// In place of portageq: notes in which process it answers.
const NOTED: &str = r#"#!/usr/bin/env python
import os
with open("/run/asked", "a") as asked:
    asked.write("%d\n" % os.getpid())
exec(compile(open("/usr/bin/portageq").read(), "/usr/bin/portageq", "exec"))
"#;

/// A restart loop does not hammer a mirror; whoever asks gets a sync all the same.
#[test]
fn the_least_interval_survives_restarts() {
    let mut builder = Builder::with_world(&["test-quick/t1"]);
    builder.wait_waiting();
    assert!(builder.steps(1).contains(&"sync".to_owned()));
    for cycle in 2..=4 {
        match cycle {
            2 => assert_eq!(builder.stop().1, 0),
            _ => builder.kill(),
        }
        builder.start();
        let status = wait_synced_cycle(&mut builder, cycle);
        assert_eq!(status.cycle.map(|cycle| cycle.reason).as_deref(), Some("start"));
        assert!(!builder.steps(cycle).contains(&"sync".to_owned()), "cycle {cycle}");
    }
    builder.gbsup(&["sync"]).ok();
    wait_synced_cycle(&mut builder, 5);
    assert!(builder.steps(5).contains(&"sync".to_owned()));
    // What is offered was tried out once, and nothing has changed since.
    let tried = |cycle| builder.step_log(cycle, "audit").contains(TRIED);
    assert_eq!([1, 2, 3, 4, 5].map(tried), [true, false, false, false, false]);
}

#[test]
fn without_a_least_interval_each_cycle_syncs() {
    let recipe = Recipe::new(&["test-quick/t1"]).config("[sync]\nmin_interval = \"0s\"\n");
    let mut builder = recipe.executable("/usr/local/bin/portageq", NOTED).start();
    builder.wait_waiting();
    builder.sh("rm /run/asked");
    assert_eq!(builder.stop().1, 0);
    builder.start();
    wait_synced_cycle(&mut builder, 2);
    assert!(builder.steps(2).contains(&"sync".to_owned()));

    // Nothing changed, so nothing is asked twice.
    for asked in ["envvar", "repos_config"] {
        let count = format!("cat /var/lib/gbsup/steps/2/*.log | grep -c '[$] portageq {asked} '");
        assert_eq!(builder.sh(&count), "1\n", "{asked}");
    }
    // Four questions, of which one is asked apart from the others.
    assert_eq!(builder.sh("wc -l </run/asked; sort -u /run/asked | wc -l"), "4\n2\n");

    // git calls a clone up to date whatever became of its files, where Portage does not have it reset.
    builder.sh("echo volatile = yes >>/etc/portage/repos.conf");
    builder.sh("cd /var/db/repos/pocket && rm -r test-quick test-slow");
    // What the clone's own configuration has git run, it runs as the clone's owner.
    builder.sh("git config --system safe.directory '*'
        cd /var/db/repos/pocket && chown -R portage:portage . && chmod 1777 /srv
        echo '*.ebuild filter=who' >.git/info/attributes
        git config filter.who.smudge 'id -un >>/srv/who; cat'");
    builder.gbsup(&["sync"]).ok();
    wait_synced_cycle(&mut builder, 3);
    let logs = builder.logs();
    assert!(logs.contains(" missing of pocket in /var/db/repos/pocket: checked out again"), "{logs}");
    assert_eq!(builder.sh("git -C /var/db/repos/pocket ls-files --deleted"), "");
    assert_eq!(builder.sh("sort -u /srv/who"), "portage\n");
    // By what is configured now, Portage might not install what is offered any more.
    assert!(builder.step_log(3, "audit").contains(TRIED), "{}", builder.step_log(3, "audit"));
}

#[test]
fn a_clone_cut_short_is_made_good_and_a_dead_repository_makes_no_other_old() {
    let recipe = Recipe::new(&["test-quick/t4"]).config("[sync]\nretries = [\"1s\", \"1s\"]\n");
    let mut builder = recipe
        .file("/etc/portage/repos.conf", REPOSITORIES)
        .file("/var/db/repos/fresh/.git/HEAD", "ref: refs/heads/main\n")
        .file("/var/db/repos/fresh/.git/config", "[remote \"origin\"]\n\turl = /srv/tree\n")
        .file("/etc/portage/repo.postsync.d/sick", "")
        .executable("/etc/portage/postsync.d/sick", "#!/bin/sh\nexit 3\n")
        .start();
    let status = builder.wait_waiting();
    assert!(
        builder.logs().contains("the clone of pocket in /var/db/repos/fresh was cut short"),
        "{}",
        builder.logs()
    );
    let log = builder.step_log(1, "sync");
    assert_eq!(log.matches("Sync completed for pocket").count(), 1, "{log}");
    assert_eq!(log.matches("$ emaint sync -r gone").count(), 2, "{log}");
    assert!(
        status.headline.contains(", but the repository gone could not be synced; next"),
        "{}",
        status.headline
    );
    assert!(status.sync.last.is_some() && status.sync.stale_since.is_none(), "{status:#?}");
    for part in [
        "the repository gone was never synced: git clone error",
        "the hook /etc/portage/postsync.d/sick failed",
    ] {
        assert!(
            status.warnings.iter().any(|warning| warning.contains(part)),
            "{part}: {:?}",
            status.warnings
        );
    }

    // Nothing is left of the tree, and the profile leads nowhere: that is what a sync is for.
    builder.sh("cd /var/db/repos && rm -rf pocket fresh && ln -sfn ../../var/db/repos/fresh/profiles/default /etc/portage/make.profile");
    builder.tree(&["hide"]);
    builder.gbsup(&["sync"]).ok();
    let status = builder.wait_for("it is paused", |status| status.state == Mode::Paused);
    let told = "the main repository pocket is not there: /var/db/repos/fresh has no profiles/repo_name; it is synced from file:///srv/tree: git clone error";
    assert!(status.headline.contains(told), "{}", status.headline);
    builder.tree(&["show"]);
    builder.resume();
    let status = builder.wait_waiting();
    assert_eq!(status.cycle.map(|cycle| cycle.id), Some(2));
    assert_eq!(status.sync.revision.as_deref().map(str::len), Some(40));

    // A power loss took what git needs, and no sync brings it back.
    builder.sh(": >/var/db/repos/fresh/.git/HEAD; rm /etc/portage/postsync.d/sick");
    builder.gbsup(&["sync"]).ok();
    let status = wait_synced_cycle(&mut builder, 3);
    let told = "git cannot read its clone in /var/db/repos/fresh (not a git repository";
    let warning = status.warnings.iter().find(|warning| warning.contains(told));
    let warning = warning.unwrap_or_else(|| panic!("{:?}", status.warnings));
    let (_, command) = warning.split_once("; type: ").unwrap_or_else(|| panic!("{warning}"));
    assert_eq!(command, "mv -T /var/db/repos/fresh /var/db/repos/fresh.damaged && emaint sync -r pocket");
    builder.sh(command);
    builder.gbsup(&["sync"]).ok();
    let status = wait_synced_cycle(&mut builder, 4);
    assert!(status.sync.stale_since.is_none(), "{status:#?}");

    // Something else stands where the tree belongs.
    builder.sh("cd /var/db/repos && mv -T fresh aside && touch fresh");
    builder.gbsup(&["sync"]).ok();
    let status = builder.wait_for("it is paused", |status| status.state == Mode::Paused);
    let told = "/var/db/repos/fresh is no directory, and a repository belongs there (repos.conf)";
    assert!(status.headline.contains(told), "{}", status.headline);
}

#[test]
fn eix_sync_is_used_when_it_is_there_and_its_words_are_read() {
    let recipe = Recipe::new(&["test-quick/t4"]).executable("/usr/bin/eix-sync", EIX_SYNC);
    let mut builder = recipe.config("[sync]\nretries = [\"1s\"]\n").start();
    // Its index cannot be written, so it would never sync.
    let first = builder.wait_waiting();
    assert!(first.sync.last.is_some(), "{first:?}");
    let told = "eix-sync could not sync (eix-update failed: cannot open database file /var/cache/eix/portage.eix for writing (mode = 'wb')), so emaint sync -a did; see: eix-update";
    assert!(first.warnings.iter().any(|warning| warning == told), "{:?}", first.warnings);
    // It can, and a hook of its own fails.
    builder.sh("install -d -o 250 -g 250 /var/cache/eix && echo '@false' >/etc/eix-sync.conf");
    builder.tree(&["bump", "test-quick/t4", "1", "2"]);
    builder.gbsup(&["sync"]).ok();
    let second = wait_synced_cycle(&mut builder, 2);
    assert!(builder.has("test-quick/t4-2"));
    assert_ne!(second.sync.revision, first.sync.revision);
    let log = builder.step_log(2, "sync");
    assert!(log.contains("Calling eix-diff") && !log.contains("$ emaint"), "{log}");
    assert!(second.warnings.iter().all(|warning| warning != told), "{:?}", second.warnings);
    assert!(second.warnings.iter().any(|warning| warning.contains("a hook of eix-sync failed: false")));
    // It failed.
    builder.tree(&["hide"]);
    builder.gbsup(&["sync"]).ok();
    builder.wait_for("it tries again", |status| status.headline.contains("attempt 2 of 2"));
    let third = wait_synced_cycle(&mut builder, 3);
    assert_eq!(third.sync.stale_since, second.sync.last);
    // An option has it sync nothing, and it ends well.
    builder.tree(&["show"]);
    builder.tree(&["bump", "test-quick/t4", "2", "3"]);
    builder.sh("echo -0 >/etc/eix-sync.conf");
    builder.gbsup(&["sync"]).ok();
    let fourth = wait_synced_cycle(&mut builder, 4);
    assert!(builder.has("test-quick/t4-3"));
    let told = "eix-sync synced nothing, as its options say";
    assert!(fourth.warnings.iter().any(|warning| warning.contains(told)), "{:?}", fourth.warnings);
}
