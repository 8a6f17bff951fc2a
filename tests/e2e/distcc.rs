//! Helpers with compilers of their own: real distcc, one that has another compiler, one that freezes.

use std::time::Duration;

use crate::helpers::{Farm, assert_cannot_help, assert_kept, build, compile, until};
use crate::support::{Builder, Slot, docker, image};

/// What docs/helpers.md gives a helper.
const RIGHTS: &[&str] = &["--read-only", "--tmpfs", "/tmp", "--user", "65534", "--cap-drop", "ALL"];
/// Makes the compilers say that they are another version, and be so.
const ANOTHER: &str = "sed -i 's/(Debian 12[.]2[.]0/(Debian 12.9.9/' /usr/lib/gcc/x86_64-linux-gnu/12/cc1 /usr/lib/gcc/x86_64-linux-gnu/12/cc1plus";
/// As builds have it.
const AS_A_BUILD: &str =
    "set -a && . /etc/portage/make.conf/zz-gbsup-helpers.conf && export PATH=/usr/lib/distcc:$PATH";

fn is_told(builder: &mut Builder, words: &[&str]) {
    let told = |all: &[String]| all.iter().any(|one| words.iter().all(|words| one.contains(words)));
    builder.wait_for(&format!("{words:?} is told"), |status| told(&status.warnings));
}

#[test]
fn only_the_same_compiler_is_given_files_and_a_frozen_one_holds_nothing_up() {
    let mut farm = Farm::make("distcc");
    let mut builder = farm.builder("distcc");
    let helper = ["helper", "--engine", "distcc", "builder"];
    let good = farm.run(&[RIGHTS, &[image()], &helper].concat());
    let another = format!("{ANOTHER} && exec gbsup helper --engine distcc builder");
    let rights = ["--cap-drop", "ALL", "--cap-add", "SETUID", "--cap-add", "SETGID", "--entrypoint", "sh"];
    let other = farm.run(&[&rights[..], &[image(), "-c", &another]].concat());
    until(&mut builder, "the good one is there", |helpers| helpers.present.len() == 1);
    is_told(
        &mut builder,
        &[&other, "is left out: its ", " is gcc (Debian 12.9.9", ", and the one here is gcc (Debian 12.2.0"],
    );

    let files = build(&mut builder, &good);
    assert_kept(&builder, files);

    // What is handed to nobody is no secret, and links are none of the files.
    builder.sh(&format!(
        "{AS_A_BUILD} && cd $(mktemp -d) && echo 'int main() {{ return 0; }}' >a.cpp && for n in $(seq 20); do
        g++ -march=native -c a.cpp -o $n.o; done && g++ a.cpp -o a && g++ a.cpp -o b"
    ));
    is_told(&mut builder, &["20 of 28 files were compiled here", "with -march=native"]);

    // What it never brings is compiled here.
    docker(&["pause", &good]).ok();
    Slot::lend(|| {
        let took = compile(&builder, AS_A_BUILD, "map");
        assert!(took < Duration::from_mins(1), "{took:?}");
        until(&mut builder, "the frozen one is gone", |helpers| helpers.present.is_empty());
        docker(&["unpause", &good]).ok();
        until(&mut builder, "it has come back", |helpers| helpers.present.len() == 1);
    });

    // Each cycle begins with proofs: now it is the other one that has the compiler of the builder.
    builder.sh(ANOTHER);
    builder.gbsup(&["sync", "--wait"]).ok();
    until(&mut builder, "the other one is in", |helpers| helpers.present.iter().any(|one| one.name == other));
    is_told(
        &mut builder,
        &[&good, "is left out: its ", " is gcc (Debian 12.2.0", ", and the one here is gcc (Debian 12.9.9"],
    );
    let logs = builder.logs();
    for words in [format!("helpers: {other} is left out: its g"), format!("helpers: {good} was taken out: ")]
    {
        assert!(logs.contains(&words), "{words}: {logs}");
    }
}

#[test]
fn what_cannot_help_says_why_and_ends() {
    for (args, words) in [
        (&["--cap-drop", "SETUID"][..], "lacks the capabilities SETUID; start it with --cap-add=SETUID"),
        (&["--read-only"], "/tmp is read-only; mount a tmpfs there"),
        (&["--tmpfs", "/tmp:size=16m"], "16 MiB are free in /tmp and "),
        (&[], "no builder can be helped: 127.0.0.1:8765 cannot be used: Connection refused"),
    ] {
        assert_cannot_help(args, &["helper", "--engine", "distcc", "127.0.0.1"], words);
    }
}
