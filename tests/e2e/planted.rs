//! What a build plants where the user portage may write, root neither follows nor waits for.

use gbsup::model::status::Mode;

use crate::support::{Builder, Recipe};

/// Leaves links, pipes, second names and names that mean something to a shell wherever user portage can, with FEATURES=userpriv.
/// Portage removes its build directory in the end, so that a process in a session of its own waits for the end of the build.
const PLANTS: &str = r#"
EAPI=8
inherit test-control
DESCRIPTION="Plants"
SLOT="0"
src_compile() {
	[[ $(id -u) == 250 ]] || die "this is not the user portage"
	cd /var/lib/gbsup/log || die
	local old="touch -h -d 2020-01-01"
	mkdir -p build-stolen
	ln -s /srv/victim build
	ln -s /srv/victim/file 'test-quick:link-1:20200101-000000.log'
	ln /srv/victim/file 'test-quick:second-1:20200101-000000.log' 2>/dev/null
	ln -s /srv/victim 'elog-2'
	mkfifo 'test-quick:pipe-1:20200101-000000.log'
	mknod 'test-quick:device-1:20200101-000000.log' c 1 5 2>/dev/null
	echo harmless >'test-quick:$(touch /srv/pwned)-1:20200101-000000.log'
	echo harmless >$'test-quick:two\nerror: forged\e[2J-1:20200101-000000.log'
	${old} *:20200101-*
	rm -rf cycle 2>/dev/null
	[[ -L cycle ]] || die "the link to the steps was removed"
	cd /var/lib/gbsup/distfiles || die
	rm -rf .locks && ln -s /srv/victim .locks
	ln -s /srv/victim/file old.tar.gz
	mkfifo pipe.tar.gz
	cd /var/tmp/portage || die
	ln -s /var/db/pkg/test-quick test-quick-2
	ln -s /var/db/pkg/test-quick virtual
	mkdir -p test-left/over-1 && ln -s /srv/victim test-left/over-1/out && mkfifo test-left/over-1/pipe
	ln -s /srv/victim test-left/link-1
	mkdir -p test-left/pipe-1/build-info && mkfifo test-left/pipe-1/build-info/BUILD_TIME
	${old} test-left/* test-left
}
src_install() { test_file; }
"#;

/// The user portage again, when nothing is built: emerge itself waits at a pipe in this place for ever.
const PIPE: &str = "cd /var/lib/gbsup/log && rm -f emerge.log && mkfifo emerge.log";

#[test]
fn root_follows_nothing_that_others_planted() {
    let config = "[prune]\nlogs = \"1d\"\nleftovers = \"1d\"\ndistfiles = \"1s\"\ncap = 100\n";
    let mut builder = Recipe::new(&["test-quick/t4", "test-quick/plants"])
        .in_tree("test-quick/plants/plants-1.ebuild", PLANTS)
        .config(config)
        .env("FEATURES", "userpriv userfetch")
        .create();
    // As an older version left it.
    let old = builder.on_volume("log/cycle/7");
    std::fs::create_dir_all(&old).expect("a directory on the volume");
    std::fs::write(old.join("sync.log"), "old\n").expect("a file on the volume");
    std::fs::create_dir_all(builder.on_volume("control")).expect("a directory on the volume");
    std::fs::write(builder.on_volume("control/pause"), "").expect("a file on the volume");
    builder.start();
    builder.wait_paused_by_operator();
    builder.sh(
        "mkdir -p /srv/victim/test-quick && cd /srv/victim && echo v1ct1m | tee file x.portage_lockfile \
         test-quick/p-1:20200101-000000.log >/dev/null && chmod 600 file && \
         touch -d 2020-01-01 file x.portage_lockfile test-quick/* && mkdir over-1 t4-1",
    );
    let before = untouched(&builder);
    std::fs::remove_file(builder.on_volume("control/pause")).expect("the file is there");
    builder.wait_for("it runs", |status| status.state == Mode::Running);
    let first = builder.wait_waiting();
    let cycle = first.cycle.expect("there was one").id;
    assert_eq!(cycle, 8, "numbers go on");
    // Portage makes the first one its user's when it saves a message.
    let own =
        "stat -c '%G %a' /var/lib/gbsup/log; stat -c '%U:%G %a' /var/lib/gbsup/steps /var/lib/gbsup/state";
    assert_eq!(builder.sh(own), "portage 3775\nroot:root 755\nroot:root 700\n");
    assert_eq!(
        builder.sh("cat /var/lib/gbsup/log/cycle/7/sync.log /var/lib/gbsup/steps/7/sync.log"),
        "old\nold\n"
    );
    let installed = untouched(&builder);
    assert!(installed.iter().filter(|line| !line.contains("/var/db/pkg")).eq(before.iter()), "{installed:?}");

    builder.sh(&format!("setpriv --reuid 250 --regid 250 --clear-groups bash -c '{PIPE}'"));
    builder.gbsup(&["sync"]).ok();
    builder.wait_cycle(cycle + 1);
    builder.wait_waiting();
    assert!(builder.logs().contains("log/emerge.log was no file"), "it is told");
    builder.sh("test ! -p /var/lib/gbsup/log/emerge.log");
    assert_eq!(untouched(&builder), installed);

    for arguments in [
        &["logs"] as &[&str],
        &["logs", "--elog"],
        &["logs", "--failed"],
        &["logs", "link"],
        &["logs", "pipe"],
        &["prune"],
        &["status"],
        &["failures"],
        &["plan"],
    ] {
        let ran = builder.gbsup(arguments);
        assert!(!(ran.out + &ran.err).contains("v1ct1m"), "{arguments:?}");
    }
    let steps = builder.sh("cat /var/lib/gbsup/steps/*/*.log") + &builder.logs();
    assert!(!steps.contains("\nerror: forged") && !steps.contains("\u{1b}[2J"), "a name is one line");
    assert!(steps.contains("/var/tmp/portage/test-left/over-1"), "what failed builds left goes: {steps}");
    assert_eq!(untouched(&builder), installed);
}

/// What nothing may change, one line each: root's files, and the records of a package.
fn untouched(builder: &Builder) -> Vec<String> {
    let text = builder.sh(
        "find /srv/victim /root /etc/gbsup /var/db/pkg/test-quick/t4-1 -printf '%p %y %m %u %s %T@ %n\\n' 2>/dev/null | sort; \
         ls /srv; cat /srv/victim/file",
    );
    text.lines().map(str::to_owned).collect()
}
