//! What is given to gbsup stays with gbsup: every byte that clients or others can get is searched for it.

use std::fs;

use crate::support::Recipe;

/// In every variable and in the configuration that nobody but gbsup is to know.
const CANARY: &str = "c4n4ry-5ecret";

/// Prints its environment into its log, and takes what it was given along.
const SHOWS: &str = r#"
EAPI=8
inherit test-control
DESCRIPTION="Shows its environment"
SLOT="0"
src_compile() {
	env
	[[ ${WANTED_TOKEN} == wanted ]] || die "what is named arrives"
	[[ ${EXTRA_ECONF} == --with-wanted ]] || die "what Portage documents arrives"
}
src_install() { test_file; }
"#;

/// Names every file below these places that has the word in it, compressed or not.
const SEARCH: &str = r#"
import bz2, io, os, subprocess, sys, tarfile
word, places = sys.argv[1].encode(), sys.argv[2:]
def look(name, data):
    if word in data:
        print(name)
    if name.endswith(".bz2"):
        look(name[:-4], bz2.decompress(data))
    elif name.endswith(".zst"):
        look(name[:-4], subprocess.run(["zstd", "-dc"], input=data, stdout=subprocess.PIPE, check=True).stdout)
    elif name.endswith(".tar"):
        for member in tarfile.open(fileobj=io.BytesIO(data)):
            if member.isfile():
                look(name + ":" + member.name, tarfile.open(fileobj=io.BytesIO(data)).extractfile(member).read())
for place in places:
    for directory, _, names in os.walk(place):
        for name in names:
            path = os.path.join(directory, name)
            if os.path.isfile(path):
                look(path, open(path, "rb").read())
"#;

/// The command of SECURITY.md, without the `docker exec` around it.
fn documented() -> String {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/SECURITY.md")).expect("it is there");
    let (_, command) = text.split_once("docker exec -i builder python3 - <<'END'\n").expect("the command");
    let (command, _) = command.split_once("\nEND\n").expect("its end");
    command.to_owned()
}

#[test]
fn no_secret_reaches_a_package_a_log_or_a_page() {
    let webhook = format!("[notify]\nwebhook = \"http://127.0.0.1:9/{CANARY}\"\n");
    let mut builder = Recipe::new(&["test-quick/t4", "test-quick/shows", "test-fail/broken"])
        .in_tree("test-quick/shows/shows-1.ebuild", SHOWS)
        .config(&webhook)
        .file("/opt/test/search.py", SEARCH)
        .file("/opt/test/documented.py", &documented())
        .env("GBSUP_NOTIFY_HEARTBEAT", &format!("http://127.0.0.1:9/{CANARY}"))
        .env("GBSUP_BUILD_ENVIRONMENT", "WANTED_TOKEN")
        .env("WANTED_TOKEN", "wanted")
        .env("EXTRA_ECONF", "--with-wanted")
        .env("DEPLOY_TOKEN", CANARY)
        .env("AWS_SECRET_ACCESS_KEY", CANARY)
        .start();
    let status = builder.wait_paused();
    assert_eq!(status.pause.expect("paused").failures.len(), 1, "only what is to fail does");
    let warned = |words: &str| status.warnings.iter().any(|warning| warning.contains(words));
    assert!(warned(": AWS_SECRET_ACCESS_KEY, DEPLOY_TOKEN of the container"), "{:?}", status.warnings);
    assert!(warned("notify.webhook in /etc/gbsup/gbsup.toml: chmod 600"), "{:?}", status.warnings);
    assert_eq!(builder.logs().matches("DEPLOY_TOKEN of the container").count(), 1, "it is told once");

    let search = |word: &str| {
        let script =
            format!("python3 /opt/test/search.py {word} /var/lib/gbsup /var/db/pkg /var/tmp /run/portage");
        builder.sh(&script)
    };
    let found = search("--with-wanted");
    assert!(
        found.contains(".gpkg.tar") && found.contains("environment"),
        "the search finds nothing: {found}"
    );
    assert_eq!(search(CANARY), "");
    assert_eq!(search("GBSUP_"), "");
    assert!(!builder.logs().contains(CANARY));

    // What was published before is found by the documented command.
    let documented = || builder.sh("python3 /opt/test/documented.py");
    assert_eq!(documented(), "");
    assert!(
        warned("an emerge typed in this container saves GBSUP_NOTIFY_HEARTBEAT in"),
        "{:?}",
        status.warnings
    );
    builder.sh("emerge --oneshot --usepkg=n --quiet test-quick/t4");
    let found = documented();
    assert!(found.contains(".gpkg.tar") && found.contains("/var/db/pkg/test-quick/t4-1/"), "{found}");
}
