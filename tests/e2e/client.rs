//! A client from its first minute: real software, signed, over HTTP, set up by nothing but what `client-config` prints.

use crate::support::{Builder, Client, Recipe};

/// Fetches an index and one of its packages, so many times, from what clients are offered while that changes. What
/// does not fit the index it was named by, or is not there, ends it.
const FETCH: &str = r#"
import gzip, hashlib, os, random, sys, urllib.request
base, times = "http://127.0.0.1:8080/binpkgs/", 0
dice, seen = random.Random(1), set()
while times < 500 or not os.path.exists("/tmp/enough"):
    times += 1
    plain = times % 2
    text = urllib.request.urlopen(base + ("Packages" if plain else "Packages.gz")).read()
    header, *blocks = (text if plain else gzip.decompress(text)).decode().strip().split("\n\n")
    packages = [dict(line.split(": ", 1) for line in block.splitlines() if ": " in line) for block in blocks]
    header = dict(line.split(": ", 1) for line in header.splitlines() if ": " in line)
    assert int(header["PACKAGES"]) == len(packages), header
    seen.add(header["TIMESTAMP"])
    package = dice.choice(packages)
    data = urllib.request.urlopen(base + package["PATH"]).read()
    assert len(data) == int(package["SIZE"]) and hashlib.sha1(data).hexdigest() == package["SHA1"], package
print(times, "fetches,", len(seen), "releases")
"#;

/// A client of this builder, which has made a key of its own, that took the printed script and has done nothing else.
fn client_of(builder: &Builder) -> Client {
    assert_eq!(builder.sh("stat -c '%a %u' /var/lib/gbsup/key"), "700 0\n");
    assert!(builder.gbsup(&["key", "show"]).ok().contains("name     gbsup packages\n"));
    let init = builder.gbsup(&["key", "init"]).exited(1);
    assert!(init.contains("a key in /var/lib/gbsup-key would die with this container"), "{init}");
    assert!(builder.gbsup(&["publish", "--once"]).ok().starts_with("nothing to publish: "));
    let client = Client::of(builder);
    let script = builder.gbsup(&["client-config", "--url", "http://127.0.0.1:8080"]).ok();
    client.paste(&script).ok();
    assert_eq!(client.sh("grep ^verify /etc/portage/binrepos.conf/gbsup.conf"), "verify-signature = true\n");
    let again = client.paste(&script).ok();
    assert!(
        again.starts_with("http://127.0.0.1:8080/binpkgs answers: release ") && again.lines().count() == 1,
        "{again}"
    );
    client
}

/// A fresh client installs the world, which is real software, and compiles nothing.
#[track_caller]
pub(crate) fn assert_installs_the_world(builder: &mut Builder) {
    let client = client_of(builder);
    client.sh("emerge --quiet --getbinpkgonly @world >/tmp/log 2>&1 || { cat /tmp/log; exit 1; }");
    let log = client.sh("cat /var/log/emerge.log");
    let merged = |what: &str| log.lines().filter(|line| line.contains(what)).count();
    assert_eq!(
        (merged(") Merging Binary ("), merged(") Compiling/")),
        (builder.packages().len(), 0),
        "{log}"
    );
    assert_eq!(client.sh("hello"), "Hello, world!\n");
    assert!(client.sh("lua -v 2>&1; echo abc | pcre2grep -o b; figlet -v | head -n 3").contains("\nb\n"));
    let plan = "emerge --pretend --verbose --update --deep --newuse @world";
    let compared = |plan: &str| {
        let printed = client.sh(plan);
        builder.gbsup_reading(&["compare", "-"], &printed)
    };
    assert_eq!(compared(plan).ok(), "the client has nothing to merge\n");

    // Another USE flag: exactly that package is built, and gbsup can say why.
    client.sh(
        "mkdir -p /etc/portage/package.use && echo 'dev-libs/libpcre2 -bzip2' >/etc/portage/package.use/own",
    );
    assert_eq!(
        compared(plan).exited(5),
        "dev-libs/libpcre2-10.42\toffered with different USE flags; the client wants -bzip2\n\
         the client builds 1 of 1 package\n"
    );
    // In colour it is the same, in columns it cannot be read.
    assert_eq!(compared(&format!("{plan} --color=y")).exited(5).lines().count(), 2);
    compared(&format!("{plan} --columns")).exited(2);
    let anew = "emerge --pretend --verbose --emptytree --exclude sys-apps/portage @world";
    let said = compared(anew).exited(5);
    assert!(
        said.starts_with("dev-libs/libpcre2-10.42\t") && said.contains("\nthe client builds 1 of 16 "),
        "{said}"
    );
    builder.look_away();
    builder.assert_tidy();
}

#[test]
fn five_hundred_fetches_while_fifty_releases_come_and_go() {
    let recipe = Recipe::new(&["test-quick/t1", "test-quick/t4"]);
    let mut builder = recipe.env("GBSUP_PUBLISH_SIGN_KEY", "").start();
    builder.wait_waiting();
    let client = client_of(&builder);
    builder.tree(&["bump", "test-quick/t1", "1", "2", ""]);
    builder.gbsup(&["sync"]).ok();
    builder.wait_cycle(2);
    builder.wait_waiting();
    client.sh(&format!("cat >/tmp/fetch.py <<'END'{FETCH}END"));
    let name = client.name().to_owned();
    let fetching =
        std::thread::spawn(move || crate::support::docker(&["exec", &name, "python3", "/tmp/fetch.py"]));
    builder.sh("for n in {1..25}; do gbsup rollback && gbsup publish --once || exit; done >/dev/null");
    client.sh("touch /tmp/enough");
    let fetched = fetching.join().expect("it ends").ok();
    let numbers: Vec<u32> = fetched.split(' ').filter_map(|word| word.parse().ok()).collect();
    assert!(numbers[0] >= 500 && numbers[1] > 25, "it saw too few of them to prove anything: {fetched}");
    assert!(builder.gbsup(&["releases"]).ok().lines().count() > 50);
    builder.assert_tidy();
}
