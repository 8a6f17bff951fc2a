//! The ebuild repositories of releases on clients that have no git.

use std::collections::BTreeSet;

use gbsup::model::release::Tree;

use crate::support::{Builder, Client, Recipe};
use crate::trees::{REPOSITORY, assert_fits, builder, bump, release, set_up, sync, tree, update};

/// Every file of a repository with its mode and its content, but for the one that says which commit they are of.
const FILES: &str = "cd /var/db/repos/pocket && find . \\( -name .git -o -name .gbsup-commit \\) -prune -o \\( -type f -printf '%m %p\\n' -exec sha256sum {} + \\) -o -type l -printf '%p %l\\n' | sort";

/// Leaves a client without git, and with a tree that Portage syncs with rsync.
fn without_git(client: &Client) {
    client.sh(&format!(
        "mkdir /root/kept && mv $(command -v git) /root/kept && ! command -v git && ! emaint sync --repo pocket >/dev/null 2>&1 && \
         rm -rf {REPOSITORY}/.git && cp -a {REPOSITORY} /root/mirror && date -Ru >/root/mirror/metadata/timestamp.chk && \
         sed -i 's/git/rsync/; s,file:.*,file:///root/mirror,' /etc/portage/repos.conf && emaint sync --repo pocket"
    ));
}

/// Which commit the client says it has.
fn has(client: &Client) -> String {
    client.sh(&format!(
        "cd {REPOSITORY} && (printf 'commit %s\\0' $(stat -c %s .gbsup-commit); cat .gbsup-commit) | sha1sum | cut -d ' ' -f 1"
    ))
}

fn files(client: &Client) -> String {
    client.sh(FILES)
}

#[track_caller]
fn assert_has(client: &Client, tree: &Tree, expected: &str) {
    assert_eq!(has(client).trim(), tree.commit);
    assert_eq!(files(client), expected, "byte for byte, and what can be run");
    assert_eq!(client.sh("ls -A /var/db/repos"), "pocket\n", "nothing is left beside it");
}

/// A sync that has to fail, and leaves what was there; what it says.
#[track_caller]
fn refused(client: &Client) -> String {
    let before = (files(client), has(client));
    let ran = client.try_sh("emaint sync --repo pocket 2>&1");
    assert_ne!(ran.code, 0, "{ran:?}");
    assert_eq!((files(client), has(client)), before, "{ran:?}");
    let said =
        ran.out.lines().find(|line| line.starts_with("!!! pocket: ")).unwrap_or_else(|| panic!("{ran:?}"));
    said.to_owned()
}

fn goes_along(mut builder: Builder, client: &Client) {
    client.sh("echo test-quick/t1 >/var/lib/portage/world");
    let state = "cd /etc/portage && find . -printf '%p %y %m %l\\n' | sort && cat repos.conf";
    let said = client.try_sh("python3 -c 'import urllib.request as u; print(u.urlopen(\"http://127.0.0.1:8080/client.sh\").read().decode(), end=\"\")' >/root/client.sh; mv $(command -v git) /root && sh /root/client.sh setup --tree 2>&1; code=$?; mv /root/git /usr/bin; exit $code").exited(1);
    assert!(said.contains("is a clone of file:///srv/tree, and there is no git here: emerge dev-vcs/git, and run this again."), "{said}");
    client.sh("sh /root/client.sh undo");
    without_git(client);
    let before = client.sh(state);
    let (first, files_of_first) = (tree(&builder), builder.sh(FILES));
    let said = set_up(client);
    assert!(said.contains("pocket: release ") && said.contains("There is no git here"), "{said}");
    assert_has(client, &first, &files_of_first);
    let again = set_up(client);
    assert!(!again.contains("wrote") && !again.contains("fetched"), "{again}");
    assert!(!sync(client).contains("!!!"));
    assert_eq!(update(client), "t1-1\n");
    assert_fits(client);

    // A day later: only what is new is fetched.
    bump(&mut builder, "1", "2");
    let second = tree(&builder);
    let check = client.try_sh("sh /root/client.sh check").exited(0);
    assert!(check.contains("not that of the release (emaint sync -r pocket brings it)"), "{check}");
    let said = sync(client);
    let fetched =
        said.lines().find_map(|line| line.strip_suffix(" kB fetched)")?.rsplit_once('(')?.1.parse().ok());
    assert!(fetched.is_some_and(|kilobytes: f64| kilobytes < 20.0), "{said}");
    assert_has(client, &second, &builder.sh(FILES));
    assert_eq!(update(client), "t1-2\n");

    // Back, and both at once.
    builder.gbsup(&["rollback"]).ok();
    let back = tree(&builder);
    assert_eq!(back.tree, first.tree);
    sync(client);
    assert_has(client, &back, &files_of_first);
    assert_eq!(update(client), "t1-1\n");

    // What somebody changed here is put right, whatever it was; a tree of another user stays that user's.
    client.sh(&format!("cd {REPOSITORY} && echo x >>test-quick/t1/t1-1.ebuild && rm -r profiles && mkdir -p distfiles a/b && echo x >distfiles/x && echo y >a/b/c && chown -R portage:portage ."));
    sync(client);
    assert_eq!(client.sh(&format!("cd {REPOSITORY} && cat distfiles/x && rm -r distfiles && ls -d a 2>/dev/null; stat -c %U . profiles profiles/repo_name test-quick/t1/t1-1.ebuild | sort -u")), "x\nportage\n");
    client.sh(&format!("chown -R root:root {REPOSITORY}"));
    assert_eq!(has(client).trim(), back.commit);

    // Later there is a git, which takes over.
    client.sh("mv /root/kept/git /usr/bin");
    let said = set_up(client);
    assert!(
        said.contains("is a clone of") && said.contains("removed /etc/portage/postsync.d/gbsup-trees"),
        "{said}"
    );
    assert_eq!(
        client
            .sh(&format!("git -C {REPOSITORY} rev-parse HEAD && git -C {REPOSITORY} status --porcelain"))
            .trim(),
        back.commit
    );
    sync(client);
    // And is gone again.
    client.sh("mv $(command -v git) /root/kept");
    set_up(client);
    assert_eq!(has(client).trim(), back.commit);
    let undone = client.try_sh("sh /root/client.sh undo 2>&1").exited(0);
    assert!(undone.contains("pocket is synced from where it was before"), "{undone}");
    assert_eq!(client.sh(state), before, "{undone}");
    assert_eq!(client.sh(&format!("ls -A {REPOSITORY} | grep gbsup; :")), "");
    sync(client);
    builder.assert_tidy();
}

#[test]
fn a_client_without_git_goes_along_and_back() {
    let builder = builder();
    let client = Client::of(&builder);
    goes_along(builder, &client);
}

#[test]
fn one_with_an_older_portage_does_as_well() {
    let builder = builder();
    let client = Client::older(&builder);
    goes_along(builder, &client);
}

/// What is served instead of what a builder offers, and by which words a client refuses it. Each begins with the next release, whose tree is
/// served from `/root/srv` without bundles, so that packs are fetched.
const HOSTILE: [(&str, &str); 9] = [
    // A byte of the newest pack.
    (
        "f=$(ls -t objects/pack/*.pack | head -1); python3 -c 'import sys; d = bytearray(open(sys.argv[1], \"rb\").read()); d[len(d) // 2] ^= 255; open(sys.argv[1], \"wb\").write(d)' $f",
        "the tree stays as it is: what came from the builder is not what it offers (",
    ),
    (
        "f=$(ls -t objects/pack/*.pack | head -1); truncate -s -100 $f",
        "what came from the builder is not what it offers (",
    ),
    ("rm objects/pack/*.pack", "is in none of its packs): emaint sync -r pocket"),
    // Another tree, under the signature of the builder, of nobody, and of somebody else.
    ("commit 'again = content.replace(b\"tree \" + tree, b\"tree \" + b\"0\" * 40)'", SIGNED_BY_NOBODY),
    (
        "commit 'again = content[:content.index(b\"gpgsig\")] + content[content.index(b\"\\n\\n\") + 1:]'",
        SIGNED_BY_NOBODY,
    ),
    (
        "commit 'again = signed(content[:content.index(b\"gpgsig\")] + content[content.index(b\"\\n\\n\") + 1:])'",
        SIGNED_BY_NOBODY,
    ),
    ("echo '<html>' >info/refs", "info/refs is not a builder's: emaint sync -r pocket"),
    ("rm -r info", "the builder does not offer it (publish.trees)"),
    // More than it says, by far.
    (
        "python3 -c 'import os, sys, zlib; open(sys.argv[1], \"wb\").write(b\"PACK\" + bytes([0, 0, 0, 2, 0, 0, 0, 1, 0x3f]) + zlib.compress(bytes(200 << 20)))' $(ls -t objects/pack/*.pack | head -1)",
        "what came from the builder is not what it offers (a pack that cannot be read)",
    ),
];
const SIGNED_BY_NOBODY: &str = ") is not signed with the key that setup knows: fetch client.sh from it again, and run: sh /root/client.sh setup --tree";
/// Offers another commit than the builder does.
const COMMIT: &str = r#"
import hashlib, os, subprocess, sys, zlib
name = open("info/refs").read(40)
content = zlib.decompress(open("objects/%s/%s" % (name[:2], name[2:]), "rb").read()).partition(b"\0")[2]
tree = content[5:45]
def signed(content):
    gpg = ["gpg", "--homedir", "/root/other", "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""]
    os.makedirs("/root/other", 0o700, exist_ok=True)
    subprocess.run(gpg + ["--quick-generate-key", "other", "ed25519", "sign", "never"], check=False, stderr=subprocess.DEVNULL)
    made = subprocess.run(gpg + ["--armor", "--detach-sign"], input=content, stdout=subprocess.PIPE, check=True).stdout
    head, message = content.split(b"\n\n", 1)
    return head + b"\ngpgsig " + made.rstrip().replace(b"\n", b"\n ") + b"\n\n" + message
exec(sys.argv[1])
whole = b"commit %d\0" % len(again) + again
name = hashlib.sha1(whole).hexdigest()
os.makedirs("objects/" + name[:2], exist_ok=True)
open("objects/%s/%s" % (name[:2], name[2:]), "wb").write(zlib.compress(whole))
open("info/refs", "w").write(name + "\trefs/heads/main\n")
"#;

#[test]
fn what_is_not_the_builders_changes_nothing() {
    let mut builder = builder();
    let client = Client::of_releases(&builder);
    without_git(&client);
    let served = crate::trees::PLAIN.replace("/srv", "/root/srv");
    client.sh(&format!(
        "cp -a /srv /root/srv; cat >/root/serve <<'END'{served}END\ncat >/root/commit.py <<'END'{COMMIT}END"
    ));
    let serve = "python3 /root/serve >/dev/null 2>&1 & echo $! >/root/pid; \
                 until python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", 8080))' 2>/dev/null; do :; done";
    client.sh(serve);
    let script = builder.gbsup(&["client-config", "--url", "http://127.0.0.1:8080/binpkgs"]).ok();
    crate::clients::run(&client, &script, "setup --tree").exited(0);
    let first = tree(&builder);
    assert_has(&client, &first, &builder.sh(FILES));
    bump(&mut builder, "1", "2");
    let second = tree(&builder);
    // As a server does that begins each time with what the builder has.
    let offers = |what: &str| {
        client.sh(&format!(
            "set -e; rm -rf /root/srv; cp -a /srv /root/srv; cd /root/srv/tree/pocket.git; rm -r bundles; cp -a ../../current/tree/pocket.git/info .; \
             rm -r ../../current/tree; commit() {{ python3 /root/commit.py \"$1\"; }}; {what}"
        ))
    };
    for (what, words) in HOSTILE {
        offers(what);
        let said = refused(&client);
        assert!(said.contains(words), "{what}: {said}");
    }
    // Nobody answers, and somebody who breaks off.
    client.sh("kill $(cat /root/pid)");
    let said = refused(&client);
    assert!(
        said.ends_with("Connection refused (http://127.0.0.1:8080/tree/): emaint sync -r pocket"),
        "{said}"
    );
    offers(":");
    client.sh(&format!("sed -i 's/^http.server.Thr/Files.copyfile = lambda self, source, to: to.write(source.read()[:-1] if self.path.endswith(\".pack\") else source.read())\\n&/' /root/serve; {serve}"));
    let said = refused(&client);
    assert!(said.contains("the connection to the builder broke: emaint sync -r pocket"), "{said}");
    client.sh(&format!("kill $(cat /root/pid); sed -i '/^Files.copyfile/d' /root/serve; {serve}"));

    // A bundle that is damaged costs the packs.
    client.sh("rm -rf /root/srv; cp -a /srv /root/srv; truncate -s -30 $(ls /root/srv/tree/pocket.git/bundles/[0-9]*)");
    sync(&client);
    assert_has(&client, &second, &builder.sh(FILES));
    // What was offered once is not taken for newer; a person may.
    offers(&format!("printf '%s\\trefs/heads/main\\n' {} >info/refs", first.commit));
    let said = refused(&client);
    assert!(
        said.contains(") is older than what is here (release ")
            && said.ends_with("to take it all the same: sh /root/client.sh setup --tree"),
        "{said}"
    );
    crate::clients::run(&client, &script, "setup --tree").exited(0);
    assert_eq!(has(&client).trim(), first.commit);
    builder.assert_tidy();
}

#[test]
fn a_killed_sync_leaves_the_tree_of_before_or_the_next() {
    let mut builder = builder();
    let client = Client::of(&builder);
    without_git(&client);
    set_up(&client);
    let old = builder.sh(FILES);
    client.sh(&format!("cp -a {REPOSITORY} /root/first"));
    bump(&mut builder, "1", "2");
    let (second, new) = (tree(&builder), builder.sh(FILES));
    let mut seen = BTreeSet::new();
    for moment in 0..20_u32 {
        client.sh(&format!("rm -rf {REPOSITORY} && cp -a /root/first {REPOSITORY}"));
        // The first rounds kill all of it, the others the hook alone.
        let seconds = 0.15 + f64::from(moment % 10) * 0.15;
        let killed = if moment < 10 {
            client.try_sh(&format!("timeout -s KILL {seconds} emaint sync --repo pocket >/dev/null 2>&1"))
        } else {
            let hook = "/etc/portage/repo.postsync.d/gbsup";
            let killing = format!(
                "sed 's/^exec /exec timeout -s KILL {seconds} /' {hook} >/root/hook && cat {hook} >/root/whole && cat /root/hook >{hook}"
            );
            client.try_sh(&format!(
                "{killing}; emaint sync --repo pocket 2>&1; code=$?; cat /root/whole >{hook}; exit $code"
            ))
        };
        let there = files(&client);
        assert!(there == old || there == new, "{seconds}: {there}");
        if moment >= 10 && there == old {
            assert_ne!(killed.code, 0, "{killed:?}");
            assert!(killed.out.contains("!!! pocket: the sync was killed before its end, and the tree is that of before or the next one: emaint sync -r pocket"), "{killed:?}");
        }
        seen.insert((moment < 10, there == new));
        sync(&client);
        assert_has(&client, &second, &new);
    }
    eprintln!("killed as a whole, the new one: {seen:?}");
    // Where directories cannot change places by one step: between the two.
    client.sh(&format!("mv {REPOSITORY} /var/db/repos/.gbsup-old-pocket && cp -a /root/first /var/db/repos/.gbsup-new-pocket && rm /var/db/repos/.gbsup-new-pocket/profiles/repo_name"));
    sync(&client);
    assert_has(&client, &second, &new);
    builder.assert_tidy();
}

/// Not signed, by a builder that goes back and forth: each sync brings one of the two trees, or says why not.
#[test]
fn a_release_that_changes_meanwhile_is_the_one_or_the_other() {
    let mut builder = Recipe::new(&["test-quick/t1"])
        .config("[publish]\ntrees = [\"pocket\"]\nsign_key = \"none\"\n")
        .env("GBSUP_PUBLISH_HOLD_BACK", "true")
        .start();
    builder.wait_waiting();
    builder.look_away();
    let (first, old) = (release(&builder).id, builder.sh(FILES));
    let client = Client::of(&builder);
    without_git(&client);
    set_up(&client);
    assert!(
        client.sh("cat /etc/portage/repos.conf/zz-gbsup.conf").contains("# !!! The builder does not sign: ")
    );
    bump(&mut builder, "1", "2");
    let (second, new) = (release(&builder).id, builder.sh(FILES));
    builder.sh(&format!(
        "(while ! [ -e /tmp/enough ]; do gbsup rollback {first} && gbsup rollback {second} || break; done; touch /tmp/done) >/tmp/log 2>&1 &"
    ));
    let (mut seen, mut failed) = (BTreeSet::new(), 0);
    for _ in 0..12 {
        let ran = client.try_sh("emaint sync --repo pocket 2>&1");
        let said = ran.out.contains("!!! pocket: ");
        assert_eq!(ran.code != 0, said, "{ran:?}");
        failed += u32::from(said);
        let there = files(&client);
        assert!(there == old || there == new, "{ran:?}");
        seen.insert(there == new);
    }
    let ended = builder
        .sh("ls /tmp/done 2>/dev/null; touch /tmp/enough; until [ -e /tmp/done ]; do :; done; cat /tmp/log");
    assert!(!ended.starts_with("/tmp/done"), "{ended}");
    eprintln!("the newer one: {seen:?}, {failed} failed");
    sync(&client);
    assert_has(&client, &tree(&builder), &new);
    builder.assert_tidy();
}
