//! Helpers on a network of their own: real icecream, real containers with the least capabilities.

use std::time::{Duration, Instant};

use gbsup::model::helpers::Files;
use gbsup::model::records::CycleRow;
use gbsup::model::status::{HelpersInfo, Mode, Status};

use crate::support::{Builder, Recipe, Slot, docker, host_wait, image};

/// What docs/helpers.md gives a helper.
const RIGHTS: &[&str] = &["CHOWN", "SETGID", "SETUID", "SETPCAP", "SYS_CHROOT"];

/// As builds have it.
const AS_A_BUILD: &str = "export PATH=/usr/lib/icecc/bin:$PATH";

/// A network of the test's, and the helpers in it.
pub(crate) struct Farm {
    pub(crate) network: String,
    helpers: Vec<String>,
}

impl Farm {
    pub(crate) fn make(kind: &str) -> Self {
        let network = format!("gbsup-e2e-{kind}-{}", std::process::id());
        docker(&["network", "create", "--internal", "--label", "gbsup.test", &network]).ok();
        Self { network, helpers: Vec::new() }
    }

    /// A builder in it that has had its first cycle and has eight files to compile in the next, as another user.
    pub(crate) fn builder(&self, engine: &str) -> Builder {
        let mut builder = Recipe::settled(&["test-quick/t1"])
            .args(&["--network", &self.network, "--network-alias", "builder"])
            .env("GBSUP_HELPERS_ENGINE", engine)
            .env("GBSUP_BUILD_TARGETS", "test-slow/many")
            .start();
        builder.wait_waiting();
        // Where builds are another user's even root may not look.
        builder.sh("echo 'FEATURES=\"${FEATURES} userpriv\"' >/etc/portage/make.conf/zzz-userpriv");
        builder
    }

    /// Starts one; its name.
    fn helper(&mut self) -> String {
        // One file at a time.
        let mut args = vec!["--cpus", "1", "--read-only", "--cap-drop", "ALL"];
        args.extend(["--tmpfs", "/run", "--tmpfs", "/tmp", "--tmpfs", "/var/cache/icecc:exec"]);
        args.extend(RIGHTS.iter().flat_map(|right| ["--cap-add", right]));
        args.extend([image(), "helper", "builder"]);
        self.run(&args)
    }

    /// Starts one with these arguments for `docker run`; its name.
    pub(crate) fn run(&mut self, more: &[&str]) -> String {
        let name = format!("{}-{}", self.network, self.helpers.len());
        let mut args = vec!["run", "--detach", "--name", &name, "--hostname", &name, "--label", "gbsup.test"];
        args.extend(["--network", &self.network, "--no-healthcheck", "--memory", "1g"]);
        args.extend(["--security-opt", "no-new-privileges"]);
        args.extend(more);
        docker(&args).ok();
        self.helpers.push(name.clone());
        name
    }
}

impl Drop for Farm {
    fn drop(&mut self) {
        for helper in &self.helpers {
            docker(&["rm", "--force", "--volumes", helper]);
        }
        docker(&["network", "rm", &self.network]);
    }
}

pub(crate) fn helpers(status: &Status) -> &HelpersInfo {
    status.helpers.as_ref().expect("there are to be helpers")
}

pub(crate) fn until(builder: &mut Builder, what: &str, is_so: impl Fn(&HelpersInfo) -> bool) -> Status {
    builder.wait_for(what, |status| status.helpers.as_ref().is_some_and(&is_so))
}

/// Builds those eight files, of which this helper has to compile some; what became of them.
pub(crate) fn build(builder: &mut Builder, helper: &str) -> Files {
    builder.gbsup(&["sync", "--wait"]).ok();
    let status = until(builder, "all files are told", |helpers| helpers.remote + helpers.local >= 8);
    let compiled = helpers(&status);
    assert!(compiled.remote > 0, "{compiled:?}");
    let present: Vec<_> = compiled.present.iter().map(|one| (one.name.as_str(), one.files)).collect();
    assert_eq!(present, [(helper, compiled.remote)]);
    Files { remote: compiled.remote, local: compiled.local, helpers: 1 }
}

/// In the history the package that was built has these files, and so has its cycle.
#[track_caller]
pub(crate) fn assert_kept(builder: &Builder, files: Files) {
    let cycles: Vec<CycleRow> =
        serde_json::from_str(&builder.gbsup(&["history", "--json"]).ok()).expect("cycles");
    let mut packages =
        cycles.iter().flat_map(|cycle| cycle.packages.iter().map(move |package| (cycle, package)));
    let (cycle, many) = packages.find(|(_, one)| one.package == "test-slow/many-1").expect("it was built");
    assert_eq!((many.files, cycle.files), (Some(files), Some(files)));
}

/// A helper with these arguments for `docker run`, called so and without a network, says this in one line and ends.
#[track_caller]
pub(crate) fn assert_cannot_help(args: &[&str], helper: &[&str], words: &str) {
    let run = ["run", "--rm", "--network", "none", "--no-healthcheck", "--label", "gbsup.test"];
    let ran = docker(&[&run, args, &[image()], helper].concat());
    assert!(ran.code == 1 && ran.err.contains(words), "{args:?}: {} {}", ran.code, ran.err);
    assert_eq!(ran.err.lines().count(), 1, "{}", ran.err);
}

/// Compiles six files with this header at the same time as a build would, after this; how long it took.
pub(crate) fn compile(builder: &Builder, before: &str, header: &str) -> Duration {
    let begun = Instant::now();
    let script = format!(
        "{before} && cd $(mktemp -d) && for n in 1 2 3 4 5 6; do
        echo \"#include <{header}>\nint f() {{ return $n; }}\" >$n.cpp; g++ -c $n.cpp & done
        wait; ls | grep -c '[.]o$'"
    );
    assert_eq!(builder.sh(&script), "6\n");
    begun.elapsed()
}

#[test]
fn files_go_to_helpers_and_a_frozen_one_holds_nothing_up() {
    let mut farm = Farm::make("helpers");
    let mut builder = farm.builder("icecream");
    let helper = farm.helper();
    until(&mut builder, "the helper is there", |helpers| helpers.present.len() == 1);

    let files = build(&mut builder, &helper);
    assert!(builder.gbsup(&["status"]).ok().contains(&format!("{} of ", files.remote)));
    assert!(builder.exec(&["cat", "/etc/portage/make.conf/zz-gbsup-helpers.conf"]).ok().contains("icecream"));

    // What it never brings is compiled here.
    docker(&["pause", &helper]).ok();
    Slot::lend(|| {
        // icecream alone waits for twelve minutes.
        let took = compile(&builder, AS_A_BUILD, "map");
        assert!(took < Duration::from_mins(3), "{took:?}");
        until(&mut builder, "the frozen one is gone", |helpers| helpers.present.is_empty());
        docker(&["unpause", &helper]).ok();
        until(&mut builder, "it has come back", |helpers| helpers.present.len() == 1);

        // Its daemon answers, and its compiler never ends.
        let stops = "until pkill -STOP cc1plus; do sleep 0.02; done";
        docker(&["exec", "--detach", "--user", "icecc", &helper, "sh", "-c", stops]).ok();
        // The scheduler would rather have a file or two compiled here.
        let took = compile(&builder, &format!("{AS_A_BUILD} ICECC_PREFERRED_HOST={helper}"), "regex");
        assert!(took < Duration::from_mins(2), "{took:?}");
        let why = format!("helpers: {helper} was taken out for 1 min: a file did not come back within 60 s");
        // Its files are compiled here at once, and a moment later it is told.
        host_wait(&why, || builder.logs().contains(&why));
        docker(&["restart", "--time", "0", &helper]).ok();
        until(&mut builder, "it has come back once more", |helpers| helpers.present.len() == 1);
    });

    // All that the build compiled was of its one package, and nothing that a person did.
    assert_kept(&builder, files);

    // The control port is nobody's but the builder's.
    let listens = builder.sh("awk '$4 == \"0A\" { print $2 }' /proc/net/tcp | sort");
    assert!(listens.contains("00000000:223D") && listens.contains("0100007F:2240"), "{listens}");

    // Without icecream nothing is built, and the builder says so.
    builder.sh("rm /usr/bin/icecc");
    builder.gbsup(&["sync"]).ok();
    builder.wait_for("the cycle has begun", |status| status.state == Mode::Running);
    let paused = builder.wait_paused();
    let said = "[helpers] engine is \"icecream\", and icecream is not installed here: icecc not found";
    assert!(paused.headline.contains(said), "{}", paused.headline);
}

#[test]
fn what_cannot_help_says_why_and_ends() {
    for (args, words) in [
        (
            &["--cap-drop", "SYS_CHROOT"][..],
            "lacks the capabilities SYS_CHROOT; start it with --cap-add=SYS_CHROOT",
        ),
        (&["--tmpfs", "/var/cache/icecc"], "in /var/cache/icecc; mount it with exec"),
        (&["--tmpfs", "/var/cache/icecc:exec,size=64m"], "64 MiB are free in /var/cache/icecc and "),
        (&["--read-only"], "/var/cache/icecc is read-only"),
        (&[], "no builder can be helped: 127.0.0.1:8765 cannot be used: Connection refused"),
    ] {
        assert_cannot_help(args, &["helper", "127.0.0.1"], words);
    }
}
