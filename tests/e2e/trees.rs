//! The ebuild repositories of releases, synced by real clients with Portage's own git.

use std::collections::BTreeMap;

use gbsup::model::release::{Release, Tree};

use crate::clients::add;
use crate::support::{Builder, Client, Recipe, host_wait};

pub(crate) const REPOSITORY: &str = "/var/db/repos/pocket";
/// Every file of a repository with its content.
const FILES: &str = "cd /var/db/repos/pocket && find . -name .git -prune -o -type f -printf '%m ' -exec sha256sum {} + | sort -k 3";

/// A builder whose clients may have its repository, and the release that it offers.
pub(crate) fn builder() -> Builder {
    // The tree names what it has itself, as Gentoo's does.
    let mut builder = Recipe::new(&["test-quick/t1"])
        .in_tree(".gitignore", "/metadata/md5-cache/\n")
        .config("[publish]\ntrees = [\"public\", \"pocket\"]\n")
        .env("GBSUP_PUBLISH_HOLD_BACK", "true")
        .start();
    builder.wait_waiting();
    builder.look_away();
    builder
}

pub(crate) fn release(builder: &Builder) -> Release {
    let text = builder.sh("cat /var/lib/gbsup/releases/current/release.json");
    serde_json::from_str(&text).expect("a release")
}

pub(crate) fn tree(builder: &Builder) -> Tree {
    release(builder).trees["pocket"].clone()
}

/// Fetches the script and runs it.
#[track_caller]
pub(crate) fn set_up(client: &Client) -> String {
    client.sh("python3 -c 'import urllib.request as u; print(u.urlopen(\"http://127.0.0.1:8080/client.sh\").read().decode(), end=\"\")' >/root/client.sh");
    client.try_sh("cd /tmp && sh /root/client.sh setup --tree 2>&1").exited(0)
}

/// Syncs as a person does; what that said.
#[track_caller]
pub(crate) fn sync(client: &Client) -> String {
    client.try_sh("emaint sync --repo pocket 2>&1").exited(0)
}

/// Has a client update its world from binary packages; what it has of `test-quick` then.
#[track_caller]
pub(crate) fn update(client: &Client) -> String {
    client.sh(
        "emerge --update --deep --changed-use --getbinpkg --ask=n --quiet @world >/tmp/log 2>&1 || { cat /tmp/log; exit 1; }; ls /var/db/pkg/test-quick",
    )
}

/// Asserts that a client says that it would compile nothing.
#[track_caller]
pub(crate) fn assert_fits(client: &Client) {
    let check = client.try_sh("sh /root/client.sh check").exited(0);
    assert!(check.contains(" fits 127.0.0.1 (release "), "{check}");
}

/// The client has exactly what this release was built from.
#[track_caller]
fn assert_has(client: &Client, tree: &Tree) {
    let head = client.sh(&format!(
        "git -C {REPOSITORY} rev-parse HEAD HEAD^{{tree}} && git -C {REPOSITORY} status --porcelain"
    ));
    assert_eq!(head, format!("{}\n{}\n", tree.commit, tree.tree));
}

/// The builder gets a newer version of a package, and builds it.
pub(crate) fn bump(builder: &mut Builder, old: &str, new: &str) {
    builder.tree(&["bump", "test-quick/t1", old, new]);
    let before = release(builder).id;
    builder.gbsup(&["sync", "--wait"]).ok();
    builder.wait_waiting();
    builder.look_away();
    assert!(release(builder).id > before);
}

#[test]
fn tree_and_packages_switch_together_and_go_back_together() {
    let mut builder = builder();
    let client = Client::of(&builder);
    let state = format!(
        "cd /etc/portage && find . -printf '%p %y %m %l\\n' | sort && cat repos.conf && git -C {REPOSITORY} config remote.origin.url"
    );
    let before = client.sh(&state);
    client.sh("echo test-quick/t1 >/var/lib/portage/world");
    let first = tree(&builder);
    let said = set_up(&client);
    assert!(
        said.contains(&format!(
            "pocket in {REPOSITORY} is a clone of http://127.0.0.1:8080/tree/pocket.git now\n"
        )),
        "{said}"
    );
    assert_has(&client, &first);
    assert_eq!(client.sh(FILES), builder.sh(FILES), "byte for byte, also what .gitignore names");
    assert_eq!(set_up(&client).matches("wrote").count(), 0, "a second time it changes nothing");
    let said = sync(&client);
    assert!(said.contains("Trusted signature found on top commit") && !said.contains("!!!"), "{said}");
    assert_eq!(update(&client), "t1-1\n");
    assert_fits(&client);

    // A day later.
    bump(&mut builder, "1", "2");
    let second = tree(&builder);
    let check = client.try_sh("sh /root/client.sh check").exited(0);
    assert!(
        check.contains("this one (pocket) is not that of the release (emaint sync -r pocket brings it)"),
        "{check}"
    );
    let size = || {
        client
            .sh(&format!("du -sk {REPOSITORY}/.git/objects | cut -f 1"))
            .trim()
            .parse::<u64>()
            .expect("a number")
    };
    let whole = size();
    sync(&client);
    assert_has(&client, &second);
    assert!(size() - whole <= 40, "{} of {whole} KiB", size() - whole);
    assert_eq!(client.sh(FILES), builder.sh(FILES));
    assert_eq!(update(&client), "t1-2\n");
    assert!(client.sh("cat /var/log/emerge.log").contains(") Merging Binary (test-quick/t1-2"));

    // Back, and both at once. What that means for it is told beforehand, by the tree of then, and afterwards.
    let known = add(builder.name(), &client, "laptop", &[]).exited(0);
    assert!(known.ends_with("laptop: 0 from the release, nothing to compile\n"), "{known}");
    let back = builder.gbsup(&["rollback"]);
    assert_eq!(back.code, 0, "{back:?}");
    assert!(back.err.contains(", laptop: 1 from the release, nothing to compile\n"), "{back:?}");
    let back = tree(&builder);
    assert_eq!((&back.tree, back.depth), (&first.tree, 3));
    let now = release(&builder).id.to_string();
    let status =
        builder.wait_for("it is rehearsed", |status| status.clients[0].release.as_ref() == Some(&now));
    assert_eq!(status.clients[0].text, "laptop: 1 from the release, nothing to compile");
    // What a rehearsal laid out goes when all clients have been told of.
    host_wait("nothing of the rehearsal is left", || {
        let left = "ls -A /run/gbsup/clients; find /var/cache/edb/dep/run -type f 2>/dev/null | head; :";
        builder.sh(left).is_empty()
    });
    sync(&client);
    assert_has(&client, &back);
    assert!(client.try_sh(&format!("ls {REPOSITORY}/test-quick/t1/t1-2.ebuild")).code != 0);
    assert_eq!(update(&client), "t1-1\n", "Portage goes back as well, with what is offered now");
    assert_fits(&client);

    let undone = client.try_sh("sh /root/client.sh undo 2>&1").exited(0);
    assert_eq!(client.sh(&state), before, "{undone}");
    builder.assert_tidy();
}

#[test]
fn whatever_kills_a_sync_the_next_one_brings_all() {
    let mut builder = builder();
    let first = tree(&builder);
    let client = Client::of(&builder);
    set_up(&client);
    client.sh(&format!("cp -a {REPOSITORY} /root/first"));
    bump(&mut builder, "1", "2");
    let second = tree(&builder);
    assert_ne!(first, second);
    let files = builder.sh(FILES);
    let mut left = BTreeMap::new();
    for moment in 1..=10_u32 {
        let seconds = f64::from(moment) * 0.15;
        // A sync, killed with all that it started.
        client.sh(&format!("rm -rf {REPOSITORY} && cp -a /root/first {REPOSITORY}"));
        let killed =
            client.try_sh(&format!("timeout -s KILL {seconds} emaint sync --repo pocket >/dev/null 2>&1"));
        let again = client.try_sh("emaint sync --repo pocket 2>&1");
        if again.code != 0 {
            // Loud, and the hook has removed the lock.
            assert!(again.out.contains("!!!"), "{seconds}: {again:?}");
            sync(&client);
        }
        assert_has(&client, &second);
        assert_eq!(client.sh(FILES), files, "killed after {seconds} s");
        *left.entry(("sync", killed.code, again.code)).or_insert(0) += 1;

        // The first one, by Portage alone: what it leaves is not called whole.
        client.sh(&format!("rm -rf {REPOSITORY}"));
        let killed =
            client.try_sh(&format!("timeout -s KILL {seconds} emaint sync --repo pocket >/dev/null 2>&1"));
        let again = client.try_sh("emaint sync --repo pocket 2>&1");
        if again.code != 0 {
            set_up(&client);
        }
        assert_has(&client, &second);
        assert_eq!(client.sh(FILES), files, "killed after {seconds} s");
        *left.entry(("clone", killed.code, again.code)).or_insert(0) += 1;
    }
    eprintln!("kind, code of the killed and of the next one: {left:?}");
    assert!(left.keys().any(|(_, killed, _)| *killed == 137), "{left:?}");

    // What is left when a clone is killed between its commits and its files.
    client.sh(&format!("rm -rf {REPOSITORY} && git clone --quiet --no-checkout http://127.0.0.1:8080/tree/pocket.git {REPOSITORY}"));
    sync(&client);
    assert_eq!(client.sh(FILES), files);
    // What a merge leaves.
    client.sh(&format!("touch {REPOSITORY}/.git/index.lock && rm {REPOSITORY}/test-quick/t1/*"));
    client.try_sh("emaint sync --repo pocket 2>&1").exited(1);
    sync(&client);
    assert_eq!(client.sh(FILES), files);
    // And what a fetch leaves, whose files are whole, but old.
    for lock in ["refs/remotes/origin/main", "packed-refs", "HEAD", "shallow", "config", "index"] {
        let old = format!(
            "rm -rf {REPOSITORY} && cp -a /root/first {REPOSITORY} && touch {REPOSITORY}/.git/{lock}.lock"
        );
        client.sh(&old);
        if client.try_sh("emaint sync --repo pocket 2>&1").code != 0 {
            sync(&client);
        }
        assert_has(&client, &second);
        client.sh(&old);
        set_up(&client);
        assert_has(&client, &second);
    }
    // The script itself: the old tree or the new one.
    for seconds in ["0.5", "0.7", "0.9", "1.1", "1.3"] {
        client.sh(&format!("git -C {REPOSITORY} config remote.origin.url /srv/tree"));
        client.try_sh(&format!("timeout -s KILL {seconds} sh /root/client.sh setup --tree >/dev/null 2>&1"));
        let there = client.try_sh(&format!("ls {REPOSITORY}/profiles/repo_name /var/db/repos/.gbsup-old-pocket/profiles/repo_name 2>/dev/null")).out;
        assert!(!there.is_empty(), "{seconds}");
        set_up(&client);
        assert_eq!(client.sh(FILES), files);
        assert_eq!(client.sh("ls -A /var/db/repos"), "pocket\n");
    }
}

#[test]
fn who_lags_behind_arrives_and_another_key_is_refused() {
    let mut builder = builder();
    let first = release(&builder).id;
    let [ten, hundred, other] = [0, 1, 2].map(|_| Client::of(&builder));
    for client in [&ten, &hundred, &other] {
        set_up(client);
    }
    bump(&mut builder, "1", "2");
    let second = release(&builder).id;
    // Each is a release of its own, with a commit of its own.
    let back_and_forth = |rounds: u32| {
        builder.sh(&format!(
            "for round in $(seq {rounds}); do gbsup rollback {first} && gbsup rollback {second} || exit 1; done >/dev/null"
        ));
    };
    back_and_forth(5);
    sync(&ten);
    assert_has(&ten, &tree(&builder));
    back_and_forth(35);
    let now = tree(&builder);
    assert!(now.depth < 64, "the history was cut: {}", now.depth);
    let said = sync(&hundred);
    assert_has(&hundred, &now);
    assert!(said.contains("unrelated histories"), "{said}");
    assert!(!sync(&ten).contains("!!! "), "a cut history is no failure");
    assert_has(&ten, &now);

    // A key that the client does not know signs from now on.
    let key = builder.sh(
        "exec 2>/dev/null; cd /var/lib/gbsup; gpg --homedir key --batch --quiet --pinentry-mode loopback --passphrase '' \
         --quick-generate-key other ed25519 cert,sign never && gpgconf --homedir key --kill all && \
         gpg --homedir key --batch --with-colons --list-keys other | awk -F: '$1 == \"fpr\" { print $10; exit }'",
    );
    let key = key.trim();
    builder.sh(&format!(
        "printf '[publish]\\ntrees = [\"pocket\"]\\nsign_key = \"{key}\"\\n' >/etc/gbsup/gbsup.toml"
    ));
    builder.signal("HUP");
    builder.gbsup(&["publish", "--wait"]).ok();
    assert_eq!(release(&builder).signed.as_deref(), Some(key));
    let before = other.sh(&format!("git -C {REPOSITORY} rev-parse HEAD"));
    let refused = other.try_sh("emaint sync --repo pocket 2>&1");
    assert!(refused.code != 0 && refused.out.contains("No valid signature found"), "{refused:?}");
    let told = "is not signed with the key that setup knows: fetch client.sh from it again, and run: sh /root/client.sh setup --tree";
    assert!(refused.out.contains(told), "{refused:?}");
    assert_eq!(other.sh(&format!("git -C {REPOSITORY} rev-parse HEAD")), before, "nothing was changed");
    set_up(&other);
    sync(&other);
    assert_has(&other, &tree(&builder));

    // Turned off, a client is told, and goes on with what it has.
    builder.sh(&format!("printf '[publish]\\ntrees = []\\nsign_key = \"{key}\"\\n' >/etc/gbsup/gbsup.toml"));
    builder.signal("HUP");
    builder.gbsup(&["publish", "--wait"]).ok();
    assert!(release(&builder).trees.is_empty());
    let refused = other.try_sh("emaint sync --repo pocket 2>&1");
    assert!(refused.code != 0 && refused.out.contains("not found"), "{refused:?}");
    let refused = other.try_sh("sh /root/client.sh setup --tree 2>&1").exited(1);
    assert!(
        refused.contains("The builder offers no repositories with its release (publish.trees).\n"),
        "{refused}"
    );
}

#[test]
fn what_a_client_lacks_is_named() {
    let builder = builder();
    let client = Client::of(&builder);
    client.sh("mv /usr/lib/python3/dist-packages/gemato /root");
    let fetch = "python3 -c 'import urllib.request as u; print(u.urlopen(\"http://127.0.0.1:8080/client.sh\").read().decode(), end=\"\")' >/root/client.sh";
    client.sh(fetch);
    let run = || client.try_sh("cd /tmp && sh /root/client.sh setup --tree 2>&1");
    let said = run().exited(1);
    assert!(said.contains("gemato, which is not here: emerge app-portage/gemato (the builder does not offer it, so it is compiled)"), "{said}");
    client.sh("mv /usr/bin/git /usr/bin/rsync /root");
    let said = run().exited(1);
    assert!(
        said.contains("Portage syncs with git or rsync, which is not here: emerge net-misc/rsync"),
        "{said}"
    );
    assert!(client.try_sh("ls /etc/portage/gbsup.asc /etc/portage/repos.conf/").code != 0);
    client.sh("mv /root/git /root/rsync /usr/bin && mv /root/gemato /usr/lib/python3/dist-packages");
    client.sh("sed -i 's/pocket/own/' /etc/portage/repos.conf");
    let said = run();
    assert_eq!(said.code, 1, "{said:?}");
}

/// Serves what is in /srv as `etc/nginx.conf` has nginx do it.
pub(crate) const PLAIN: &str = r#"
import http.server, os
class Files(http.server.SimpleHTTPRequestHandler):
    def translate_path(self, path):
        path = path.split("?")[0]
        if path.startswith("/binpkgs/"):
            return "/srv/current/" + path[len("/binpkgs/"):]
        return "/srv/current" + path if os.path.exists("/srv/current" + path) else "/srv" + path
http.server.ThreadingHTTPServer(("127.0.0.1", 8080), Files).serve_forever()
"#;

#[test]
fn a_server_of_plain_files_serves_the_same() {
    let mut builder = builder();
    let client = Client::of_releases(&builder);
    let state = format!(
        "cd /etc/portage && find . -printf '%p %y %m %l\\n' | sort && git -C {REPOSITORY} config -l --local"
    );
    let before = client.sh(&state);
    client.sh(&format!(
        "cat >/root/serve <<'END'{PLAIN}END\npython3 /root/serve >/dev/null 2>&1 & \
         until python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", 8080))' 2>/dev/null; do :; done"
    ));
    let script = builder.gbsup(&["client-config", "--url", "http://127.0.0.1:8080/binpkgs"]).ok();
    let set_up = || crate::clients::run(&client, &script, "setup --tree").exited(0);
    set_up();
    assert_has(&client, &tree(&builder));
    // A git that knows of that takes what is new to it from there, and not whole packs.
    let list = "http://127.0.0.1:8080/tree/pocket.git/bundles/list\n";
    assert_eq!(client.sh(&format!("git -C {REPOSITORY} config fetch.bundleURI")), list);
    assert_eq!(set_up().matches("wrote").count(), 0, "a second time it changes nothing");
    bump(&mut builder, "1", "2");
    let there = client.sh(&format!("curl() {{ python3 -c 'import sys, urllib.request as u; print(u.urlopen(sys.argv[1]).read())' $1; }}; curl {list}"));
    assert_eq!(there.matches("creationToken=").count(), 1, "{there}");
    sync(&client);
    assert_has(&client, &tree(&builder));
    builder.gbsup(&["rollback"]).ok();
    sync(&client);
    assert_has(&client, &tree(&builder));
    client.sh("sh /root/client.sh undo");
    let kept = "gc.auto=0\nfetch.unpacklimit=1\n";
    assert_eq!(client.sh(&state).replace(kept, ""), before);
    builder.assert_tidy();
}
