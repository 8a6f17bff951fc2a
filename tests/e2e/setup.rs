//! What `client.sh setup` does to clients of every kind, and that `undo` takes all of it back.

use crate::clients::{offered, run};
use crate::support::{Builder, Client, Recipe};

const URL: &str = "http://127.0.0.1:8080/binpkgs";
/// Everything that Portage is configured by, down to the modes of files; of a key ring what it has.
pub(crate) const STATE: &str = "cd /etc/portage && find . /root/dotfile -path ./gnupg -prune -o -printf '%p %y %m %U:%G %l\\n' -type f \
                     -exec sha256sum {} + 2>/dev/null | sort; if [ -d gnupg ]; then gpg --homedir gnupg --list-keys; \
                     gpg --homedir gnupg --export-ownertrust | grep -v '^#'; fi";

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
    assert_nothing_is_lost(&client, &script, &before);
    assert_said_at_once(&client, &script, &before);

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

/// What a person writes into the files of setup, and a setup that was killed.
fn assert_nothing_is_lost(client: &Client, script: &str, before: &str) {
    let advice = run(client, script, "setup").exited(0);
    let (_, hook) = advice.split_once("To be told after each sync:\n").expect("what to type");
    client.sh(hook);
    client.sh("cd /etc/portage && sed -i 's/^# gbsup ends/PORTAGE_NICENESS=\"3\"\\n&/' make.conf && \
         sed -i 's/^priority = .*/priority = 99/' binrepos.conf/gbsup.conf");
    let undone = run(client, script, "undo").exited(0);
    assert!(undone.contains("what was written there by hand: priority = 99\n"), "{undone}");
    assert!(undone.contains("by hand stays in /etc/portage/make.conf\n"), "{undone}");
    assert!(undone.contains("removed /etc/portage/postsync.d/gbsup\n"), "{undone}");
    client.sh("tail -n 1 /etc/portage/make.conf | grep -x 'PORTAGE_NICENESS=\"3\"' && sed -i '$d' /etc/portage/make.conf && rmdir /etc/portage/postsync.d");
    assert_eq!(client.sh(STATE), before);

    // The file that it wrote into became one of a directory.
    run(client, script, "setup").exited(0);
    client.sh("cd /etc/portage && mv make.conf own && mkdir make.conf && mv own make.conf/own");
    let undone = run(client, script, "undo").exited(0);
    assert!(undone.contains("removed the block of setup from /etc/portage/make.conf/own\n"), "{undone}");
    client.sh("cd /etc/portage && mv make.conf/own own && rmdir make.conf && mv own make.conf");
    assert_eq!(client.sh(STATE), before);

    // Killed when the key is in the ring, and nothing else is done.
    client.sh(
        "printf '#!/bin/sh\\ncase \"$*\" in *--check-trustdb*) kill -9 $(ps -o ppid= -p $PPID) $PPID ;; esac\\nexec /usr/bin/gpg \"$@\"\\n' \
         >/usr/local/bin/gpg && chmod +x /usr/local/bin/gpg",
    );
    run(client, script, "setup").exited(137);
    client.sh("rm /usr/local/bin/gpg");
    assert_ne!(client.sh(STATE), before);
    let undone = run(client, script, "undo").exited(0);
    assert!(undone.contains("does not trust the key "), "{undone}");
    assert_eq!(client.sh(STATE), before);
}

/// What stands in its way is said in a sentence, before anything is changed.
fn assert_said_at_once(client: &Client, script: &str, before: &str) {
    client.sh("mv /usr/bin/wget /usr/bin/wget.away && echo test-quick/t1 >/var/lib/portage/world");
    let said = run(client, script, "setup").exited(0);
    let problem = "Portage fetches packages with wget (FETCHCOMMAND), which is not here.\n";
    assert!(said.contains(problem), "{said}");
    assert!(run(client, script, "check").exited(5).contains(problem));
    client.sh("mv /usr/bin/wget.away /usr/bin/wget && mv /usr/bin/gpg /usr/bin/gpg.away");
    let refused = run(client, script, "undo").exited(1);
    assert!(refused.starts_with("There is no gpg here ") && refused.lines().count() == 1, "{refused}");
    client.sh("mv /usr/bin/gpg.away /usr/bin/gpg");
    run(client, script, "undo").exited(0);
    assert_eq!(client.sh(STATE), before);
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
