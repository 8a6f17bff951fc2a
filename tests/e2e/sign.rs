//! Signatures: what a real client takes and refuses, and a publisher that has the key and nothing else.

use std::collections::BTreeSet;

use crate::support::{Client, Home, KEY, Recipe, docker, image};

const RELEASES: &str = "/var/lib/gbsup/releases";

fn install(client: &Client, release: &str) -> crate::support::Ran {
    client.try_sh(&format!(
        "mkdir -p /etc/portage/binrepos.conf && rm -rf /var/cache/binhost /var/cache/binpkgs
         printf '[b]\\nsync-uri = file:///srv/{release}\\n' >/etc/portage/binrepos.conf/b.conf
         emerge --getbinpkgonly --oneshot --quiet test-quick/t1 2>&1"
    ))
}

/// Has the index in a directory describe a package as it is now.
const DESCRIBE: &str = r#"import hashlib, re, sys
directory, path = sys.argv[1:]
data = open(f"{directory}/{path}", "rb").read()
values = {"SIZE": len(data), "MD5": hashlib.md5(data).hexdigest(), "SHA1": hashlib.sha1(data).hexdigest()}
blocks = open(f"{directory}/Packages").read().split("\n\n")
for number, block in enumerate(blocks):
    if f"PATH: {path}" in block.splitlines():
        for key, value in values.items():
            block = re.sub(rf"(?m)^{key}: .*$", f"{key}: {value}", block)
        blocks[number] = block
open(f"{directory}/Packages", "w").write("\n\n".join(blocks))
"#;

/// Other releases on the volume, each with one thing wrong. Whoever changes a package here changes the index, too, so
/// that only the signature is left.
const FORGE: &str = r#"
set -e
cd /var/lib/gbsup/releases
gpg() { command gpg --homedir /tmp/other --batch --quiet "$@"; }
mkdir -m 700 /tmp/other
gpg --pinentry-mode loopback --passphrase '' --quick-generate-key other ed25519 cert,sign never
t1=test-quick/t1/t1-1-1.gpkg.tar
for number in 1 2 3 4; do
    release=2020-01-01.$number
    cp -rL current $release
    rm $release/Packages.gz
    sed -i "s/\"id\": \"[^\"]*\"/\"id\": \"$release\"/" $release/release.json
    case $number in
        # One byte of the metadata.
        1) printf X | dd of=$release/$t1 bs=1 seek=3000 conv=notrunc status=none ;;
        2) cp ../binpkgs/$t1 $release/$t1 ;;
        3) cp ../binpkgs/$t1 $release/$t1
           BINPKG_GPG_SIGNING_GPG_HOME=/tmp/other BINPKG_GPG_SIGNING_KEY=other gpkg-sign $release/$t1 >/dev/null 2>&1 ;;
        4) sed -i 's/^SHA1: ..../SHA1: 0000/' $release/Packages ;;
    esac
    [ $number = 4 ] || python3 /root/describe $release $t1
done
"#;

#[test]
fn clients_take_what_is_signed_and_nothing_else() {
    let home = Home::new();
    let (mount, key) = (home.mount(), home.fingerprint());
    let mut builder = Recipe::new(&["test-quick/t1", "test-quick/t2"])
        .args(&["--volume", &mount])
        .env("GBSUP_PUBLISH_SIGN_KEY", &key)
        .file("/root/describe", DESCRIBE)
        .start();
    let status = builder.wait_waiting();
    assert!(!status.warnings.iter().any(|warning| warning.contains("sign")), "{:?}", status.warnings);
    let verified = builder.gbsup(&["verify", "--release"]).ok();
    assert!(verified.contains(", with their signatures: 2 packages: as they should be"), "{verified}");
    let changes = builder.sh(&format!("cat {RELEASES}/current/CHANGES"));
    assert!(changes.contains(&format!("\nEvery package is signed by the key {key}.\n")), "{changes}");
    // What builds packages cannot get at it, and no agent is left that would sign for it.
    let read = builder.exec(&["su", "-s", "/bin/bash", "portage", "-c", &format!("cat {KEY}/*/* {KEY}/*")]);
    assert!(read.code != 0 && read.out.is_empty(), "{read:?}");
    assert_eq!(builder.sh("ls /dev/shm"), "");

    // The same as Portage's own tool makes of the same file, but for the signatures themselves.
    let layout = |file: &str| {
        let members = builder.sh(&format!("tar tvf {file} | awk '{{ print $1, $2, $6 }}'"));
        let script = format!("tar xOf {file} t1-1-1/Manifest | grep -v '[.]sig' | sed '/SIGNATURE/,$d'");
        // Portage gives the hashes in any order.
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<BTreeSet<_>>();
        let manifest: Vec<_> = builder.sh(&script).lines().map(words).collect();
        (members, manifest)
    };
    let ours = layout(&format!("{RELEASES}/current/test-quick/t1/t1-1-1.gpkg.tar"));
    builder.sh(&format!(
        "cp /var/lib/gbsup/binpkgs/test-quick/t1/t1-1-1.gpkg.tar /tmp/t1 && BINPKG_GPG_SIGNING_GPG_HOME={KEY} \
         BINPKG_GPG_SIGNING_KEY={key} gpkg-sign /tmp/t1 >/dev/null 2>&1"
    ));
    assert_eq!(ours, layout("/tmp/t1"));

    let client = Client::of_releases(&builder);
    client.trust(&builder.gbsup(&["key", "show"]).ok());
    let installed = install(&client, "current");
    assert_eq!(installed.code, 0, "{}", installed.out);
    builder.sh(FORGE);
    for (number, kind, refusal) in [
        (1, "damaged", "BAD signature"),
        (2, "signature", "missing any signature"),
        (3, "signature", "unknown key"),
        (4, "index", "Digest verification failed"),
    ] {
        let release = format!("2020-01-01.{number}");
        let refused = install(&client, &release);
        assert!(refused.code != 0 && refused.out.contains(refusal), "{release}: {refused:?}");
        let verified = builder.gbsup(&["verify", "--json", "--release", &release]).exited(5);
        let verified: serde_json::Value = serde_json::from_str(&verified).expect("JSON");
        assert_eq!(verified["findings"][0]["kind"], kind, "{verified:#}");
    }
    builder.assert_tidy();
}

/// A key that Portage signs with and trusts, and one that it does not know.
pub(crate) const KEYS: &str = r#"
set -e
make() { gpg --homedir $1 --batch --quiet --pinentry-mode loopback --passphrase '' --quick-generate-key ${1##*/} ed25519 cert,sign never; }
mkdir -m 700 /root/builder /root/stranger && make /root/builder 2>/dev/null && make /root/stranger 2>/dev/null
key=$(gpg --homedir /root/builder --with-colons --list-keys | awk -F: '$1 == "fpr" { print $10; exit }')
ring() { gpg --homedir /etc/portage/gnupg --batch --quiet "$@" 2>/dev/null; }
mkdir /etc/portage/gnupg
gpg --homedir /root/builder --export | ring --import
echo $key:6: | ring --import-ownertrust
ring --check-trustdb
gpgconf --homedir /etc/portage/gnupg --kill all
chmod -R a+rX /etc/portage/gnupg
printf '%s\n' 'FEATURES="${FEATURES} binpkg-signing"' BINPKG_GPG_SIGNING_GPG_HOME=/root/builder BINPKG_GPG_SIGNING_KEY=0x$key >/etc/portage/make.conf/sign
"#;

/// Signs a package with the other key, and makes the index say so. Portage would see it as soon as it looked.
const RESIGN: &str = "
set -e
cd /var/lib/gbsup/binpkgs
path=test-quick/t4/t4-1-1.gpkg.tar
BINPKG_GPG_SIGNING_GPG_HOME=/root/stranger BINPKG_GPG_SIGNING_KEY=stranger gpkg-sign $path >/dev/null
python3 /root/describe . $path
rm Packages.gz
";

#[test]
fn what_portage_signed_is_checked_as_portage_checks_it() {
    let config = "[sync]\nmin_interval = \"1s\"\n[rebuild]\n\
                  commands = [{ when = \"test-quick/t4\", run = [\"bash\", \"/root/resign\"] }]\n";
    let files = |recipe: Recipe| recipe.file("/root/resign", RESIGN).file("/root/describe", DESCRIBE);
    let mut builder = files(Recipe::new(&["test-quick/t1"]).config(config)).start();
    builder.wait_waiting();
    builder.sh(KEYS);
    builder.set_world(&["test-quick/t1", "test-quick/t4"]);
    builder.gbsup(&["sync"]).ok();
    builder.wait_cycle(2);
    let status = builder.wait_waiting();
    assert_eq!(status.warnings, [""; 0]);

    // Between the build and the audit somebody else signed it.
    assert_eq!(builder.compiled()[1..], ["test-quick/t4-1", "test-quick/t4-1"]);
    let said = "built again for the clients: test-quick/t4-1 cannot be trusted: it is signed by a key that is not known: ";
    assert!(builder.logs().contains(said));
    // A release without a key has it as Portage signed it.
    let signatures = builder.sh(&format!(
        "cd {RELEASES} && cmp current/test-quick/t4/t4-1-2.gpkg.tar ../binpkgs/test-quick/t4/t4-1-2.gpkg.tar && \
         ls 2*/test-quick/t4/* && tar xOf current/test-quick/t4/t4-1-2.gpkg.tar t4-1-2/Manifest | grep 'BEGIN PGP SIGNATURE'"
    ));
    let ours = "/test-quick/t4/t4-1-2.gpkg.tar\n-----BEGIN PGP SIGNATURE-----\n";
    assert!(signatures.ends_with(ours) && signatures.lines().count() == 2, "{signatures}");
    let listed = builder.sh("ls /var/lib/gbsup/quarantine/*.gpkg.tar");
    assert_eq!(listed, "/var/lib/gbsup/quarantine/test-quick_t4_t4-1-1.gpkg.tar\n");
    assert!(
        builder
            .gbsup(&["verify"])
            .ok()
            .starts_with("2 packages: as they should be (0 B read; 2 found good before")
    );

    let verify = |env: &[&str]| builder.exec(&[&["env"], env, &["gbsup", "verify"]].concat());
    let blind = ["FEATURES=-binpkg-signing", "BINPKG_GPG_VERIFY_GPG_HOME=/none"];
    let told = verify(&blind).ok();
    assert!(
        told.contains("\nthe signature of 1 binary package is not checked: there are no keys in /none\n"),
        "{told}"
    );
    let told = verify(&["FEATURES=binpkg-request-signature"]).exited(5);
    assert!(told.contains("test-quick/t1/t1-1-1.gpkg.tar cannot be trusted: it is not signed\n"), "{told}");

    // A release with a key has the signatures of that key alone.
    builder.sh("key=$(gpg --homedir /root/stranger --with-colons --list-keys | awk -F: '$1 == \"fpr\" { print $10; exit }'); \
         GBSUP_PUBLISH_SIGN_KEY=$key GBSUP_PUBLISH_GPG_HOME=/root/stranger gbsup publish --once");
    let verified = builder.gbsup(&["verify", "--release"]).ok();
    assert!(verified.contains(", with their signatures: 2 packages: as they should be"), "{verified}");
}

#[test]
fn a_publisher_needs_the_key_and_the_volume_alone() {
    let home = Home::new();
    let mut builder = Recipe::new(&["test-quick/t1"]).env("GBSUP_PUBLISH_BY", "separate").start();
    let status = builder.wait_waiting();
    assert!(status.headline.ends_with("; a newer offer waits for its publisher"), "{}", status.headline);
    assert!(status.warnings.iter().any(|warning| warning.contains(" waits for its publisher: ")));
    assert!(status.release.is_none());

    let volume = format!("{}:/var/lib/gbsup", builder.on_volume("").display());
    let nothing = ["--volume", &volume, "--tmpfs", "/var/db/repos", "--tmpfs", "/var/db/pkg"];
    let publish = |args: &[&str]| home.run(&[&nothing, args].concat(), &["publish", "--once"]);
    // A key that is not as it has to be: nothing is published.
    let open = publish(&["--env", "GBSUP_PUBLISH_GPG_HOME=/usr"]).exited(1);
    assert!(open.contains("the keys in /usr can be read by others"), "{open}");
    let other = publish(&["--env", &format!("GBSUP_PUBLISH_SIGN_KEY={}", "A".repeat(40))]).exited(1);
    assert!(other.contains("is not among the secret keys"), "{other}");
    assert!(builder.status().release.is_none());

    assert!(publish(&[]).ok().contains(" is published: 1 added"));
    assert!(publish(&[]).ok().starts_with("nothing to publish: "));
    let status = builder.status();
    assert!(status.release.as_ref().is_some_and(|release| release.packages == 1));
    assert!(!status.headline.contains("publisher") && status.warnings.is_empty(), "{status:?}");
    assert!(builder.gbsup(&["releases"]).ok().contains("current, signed"));
    assert!(builder.gbsup(&["verify", "--release"]).ok().contains("with their signatures"));

    // A key that somebody forgot to mount takes the signatures from nobody.
    let gone = publish(&["--env", "GBSUP_PUBLISH_GPG_HOME=/gone"]).exited(1);
    assert!(gone.contains("and there is no key in /gone"), "{gone}");

    // One that has expired: clients would refuse it, so the old release stays.
    let expire = format!(
        "chmod 700 {KEY} && gpg --homedir {KEY} --batch --quiet --faked-system-time 20200101T000000! --pinentry-mode loopback --passphrase '' \
         --quick-generate-key old ed25519 cert,sign 1d && gpgconf --homedir {KEY} --kill all"
    );
    let old = Home::without_key();
    let mount = old.mount();
    docker(&["run", "--rm", "--entrypoint", "bash", "--volume", &mount, image(), "-c", &expire]).ok();
    let expired = old.run(&nothing, &["publish", "--once"]).exited(1);
    assert!(expired.contains("has expired, and clients refuse every package"), "{expired}");
    assert!(old.run(&[], &["key", "show"]).exited(5).contains("it has expired"));
}
