//! What happens to gpg and its agent while a release is signed: they are killed, nothing can be written, a kill left
//! something. Either clients are offered the new release, or the old one and it is said why not; and the agent, which
//! has the key in its memory, never stays.

use gbsup::model::failure::{Class, Failure};

use crate::support::{Builder, Home, KEY, Ran, Recipe, docker, host_wait};

/// The real gpg, which meets its end when it signs and /run/test says so, once. Whoever is killed while it works is held
/// there first: a stopped agent keeps gpg waiting, with its socket open, for as long as it takes to be seen.
const GPG: &str = r#"#!/bin/bash
case "$*" in *--detach-sign*) ;; *) exec /usr/bin/gpg "$@" ;; esac
once() { rm "/run/test/$1" 2>/dev/null; }
asks_agent() { [[ $(readlink /proc/$1/exe) == /usr/bin/gpg && $(readlink /proc/$1/fd/*) == *socket:* ]]; }
hold_agent() { kill -STOP $(pidof gpg-agent); }
me=$BASHPID
if once kill-agent; then
    kill -KILL $(pidof gpg-agent)
elif once kill-agent-later; then
    hold_agent
    { until asks_agent $me; do sleep 0.01; done; kill -KILL $(pidof gpg-agent); } >/dev/null 2>&1 &
elif once kill-gpg; then
    hold_agent
    { until asks_agent $me; do sleep 0.01; done; kill -KILL $me; kill -CONT $(pidof gpg-agent); } >/dev/null 2>&1 &
elif once kill-publisher; then
    kill -KILL $PPID
elif [ -e /run/test/fill-disk ] && [ ! -e /var/lib/gbsup/full ]; then
    # Every package gets here before much of it is written.
    cd /var/lib/gbsup && fallocate --length $(($(stat --file-system --format '%a * %S' .) - (4 << 20))) full
fi
exec /usr/bin/gpg "$@"
"#;

/// A package that has more in it than the disk will have left.
const BIG: &str = "EAPI=8\ninherit test-control\nDESCRIPTION=\"Noise\"\nSLOT=\"0\"\n\
                   src_install() {\n\tinsinto /usr/share/gbsup-test\n\thead -c 8M /dev/urandom | newins - big\n}\n";

/// Has everything to be signed anew by whoever publishes next.
fn unsign(builder: &Builder) {
    let said = builder.sh("GBSUP_PUBLISH_SIGN_KEY=none gbsup publish --once");
    assert!(said.contains(" is published: "), "{said}");
}

/// Publishes while this happens.
fn publish(builder: &Builder, what: &str) -> Ran {
    unsign(builder);
    builder.sh(&format!("mkdir -p /run/test && touch /run/test/{what}"));
    let ran = builder.gbsup(&["publish", "--once"]);
    builder.sh(&format!("[ ! -e /run/test/{what} ]"));
    ran
}

/// Nothing of GnuPG is left, and nothing of a release.
#[track_caller]
fn assert_clean(builder: &Builder) {
    // An agent that lost its directory needs a moment to notice.
    host_wait("no gpg and no agent is left", || {
        !docker(&["top", builder.name(), "-o", "pid,args"]).ok().contains("gpg")
    });
    assert_eq!(builder.sh("ls /dev/shm; cd /var/lib/gbsup/releases && ls -A | grep '^[.]' || true"), "");
}

#[track_caller]
fn assert_signed(builder: &Builder) {
    let verified = builder.gbsup(&["verify", "--release"]).ok();
    assert!(verified.contains(", with their signatures: 2 packages: as they should be"), "{verified}");
    assert_clean(builder);
}

/// Nothing was published, it was said why, and the next time it is.
#[track_caller]
fn assert_refused(builder: &Builder, ran: Ran, why: &str) {
    let said = ran.exited(1);
    assert!(said.contains(&format!(" cannot be signed: {why}")), "{said}");
    let listed = builder.gbsup(&["releases"]).ok();
    assert!(listed.lines().next().is_some_and(|line| line.ends_with("\tcurrent, not signed")), "{listed}");
    assert_clean(builder);
    builder.gbsup(&["publish", "--once"]).ok();
}

fn failure(builder: &mut Builder) -> Failure {
    let status = builder.wait_paused();
    assert_eq!(status.step, "publish", "{}", status.headline);
    status.pause.expect("it is paused").failures.swap_remove(0)
}

#[test]
fn whatever_happens_to_gpg_the_old_release_stays_or_the_new_one_is_whole() {
    let home = Home::new();
    let mut builder = Recipe::new(&["test-quick/t1", "test-quick/big"])
        .no_volume()
        .args(&["--tmpfs", "/var/lib/gbsup:exec,size=160m", "--volume", &home.mount()])
        .env("GBSUP_PUBLISH_SIGN_KEY", &home.fingerprint())
        .in_tree("test-quick/big/big-1.ebuild", BIG)
        .executable("/usr/local/bin/gpg", GPG)
        .config("[remedy]\ndisk_full = false\n")
        .start();
    builder.wait_waiting();
    assert_signed(&builder);

    // gpg starts another agent where it can.
    for what in ["kill-agent", "kill-agent-later"] {
        let ran = publish(&builder, what);
        if ran.code != 0 {
            assert_refused(&builder, ran, "gpg could not sign: ");
        }
        assert_signed(&builder);
    }
    let ran = publish(&builder, "kill-gpg");
    assert_refused(&builder, ran, "gpg could not sign: it was killed by signal 9");
    assert_signed(&builder);
    // Whoever publishes is killed, and its agent stays: until the next one comes.
    assert_eq!(publish(&builder, "kill-publisher").code, 137);
    builder.gbsup(&["publish", "--once"]).ok();
    assert_signed(&builder);

    // What kills left in the home, also those of other machines, and beside it.
    unsign(&builder);
    builder.sh(&format!(
        "cd {KEY} && for lock in pubring.kbx trustdb.gpg gnupg_spawn_agent_sentinel private-keys-v1.d/x; do
             printf '%10d\\nelsewhere\\n' 1 >$lock.lock
         done
         python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"S.gpg-agent\")'
         mkdir -m 700 /dev/shm/gbsup-gpg-1-0"
    ));
    builder.gbsup(&["publish", "--once"]).ok();
    assert_signed(&builder);
    builder.sh(&format!("cd {KEY} && rm S.gpg-agent *.lock private-keys-v1.d/*.lock"));

    // No room for gpg, then none for what it signs.
    unsign(&builder);
    let offered = builder.status().release;
    builder.sh("head -c 1G /dev/zero >/dev/shm/full || true");
    builder.gbsup(&["publish"]).ok();
    builder.wait_cycle(2);
    let full = failure(&mut builder);
    assert_eq!(full.class, Class::DiskFull, "{}", full.message);
    let said = "nothing was published, since it could not be signed: gpg cannot work in /dev/shm/gbsup-gpg-";
    assert!(full.message.starts_with(said) && full.message.contains(": No space left"), "{}", full.message);
    builder.sh("rm /dev/shm/full && touch /run/test/fill-disk");
    assert_clean(&builder);
    builder.resume();
    let full = failure(&mut builder);
    assert_eq!(full.class, Class::DiskFull, "{}", full.message);
    let said = "nothing was published: test-quick/big/big-1-1.gpkg.tar cannot be signed: No space left";
    assert!(full.message.starts_with(said), "{}", full.message);
    assert_eq!(builder.status().release, offered);
    assert_clean(&builder);
    builder.sh("rm /run/test/fill-disk /var/lib/gbsup/full");
    builder.resume();
    builder.wait_waiting();
    assert_signed(&builder);
    builder.assert_tidy();
}
