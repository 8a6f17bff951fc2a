//! The verbs of the Makefile, as a person types them, on the pocket base.

use std::fs;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::support::{Ran, docker};

/// A builder of the Makefile, with names of its own and the configuration of a client.
struct Verbs {
    name: String,
    config: TempDir,
}

impl Verbs {
    fn new(name: &str, world: &str) -> Self {
        let config = TempDir::new().expect("a directory for the configuration");
        fs::write(config.path().join("world"), world).expect("a world file");
        fs::create_dir(config.path().join("portage")).expect("a client's /etc/portage");
        // As dotfiles are kept: what the link leads to arrives.
        fs::write(config.path().join("use"), "test-quick/t1 -doc\n").expect("a file");
        std::os::unix::fs::symlink("../use", config.path().join("portage/package.use"))
            .expect("a link to it");
        Self { name: format!("{name}-{}", std::process::id()), config }
    }

    fn image(&self) -> String {
        format!("{}:test", self.name)
    }

    /// `make VERB`, with something typed on its standard input.
    fn typing(&self, verb: &str, input: &'static str) -> Ran {
        let mut command = Command::new("make");
        command
            .args(["--no-print-directory", "-C", env!("CARGO_MANIFEST_DIR"), verb, "BASE=pocket"])
            .arg(format!("NAME={}", self.name))
            .arg(format!("VOLUME={}", self.name))
            .arg(format!("IMAGE={}", self.image()))
            .arg(format!("CONFIG={}", self.config.path().display()))
            .env("BINARY", env!("CARGO_BIN_EXE_gbsup"))
            .env("RESTART", "no")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("make starts");
        let mut stdin = child.stdin.take().expect("it is piped");
        std::io::Write::write_all(&mut stdin, input.as_bytes()).expect("it reads");
        drop(stdin);
        let output = child.wait_with_output().expect("its output can be read");
        Ran {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    fn make(&self, verb: &str) -> Ran {
        self.typing(verb, "")
    }

    /// The headline when the builder comes to rest.
    fn rest(&self) -> String {
        let script = "gbsup status --watch | grep -m 1 -E '^(waiting|paused|degraded)'";
        docker(&["exec", &self.name, "sh", "-c", script]).ok()
    }
}

impl Drop for Verbs {
    fn drop(&mut self) {
        docker(&["rm", "--force", &self.name]);
        docker(&["volume", "rm", "--force", &self.name]);
        let images = docker(&["images", "--quiet", &self.name]).out;
        for image in images.lines() {
            docker(&["rmi", "--force", image]);
        }
    }
}

#[test]
fn every_verb_does_what_it_says() {
    let verbs = Verbs::new("gbsup-verbs", "test-quick/t1\n");
    let help = Command::new("make").args(["-C", env!("CARGO_MANIFEST_DIR")]).output().expect("make starts");
    assert!(String::from_utf8_lossy(&help.stdout).contains("make VERB"));

    // Nothing is there yet, and that is said.
    assert!(verbs.make("status").exited(2).contains("there is no running builder"));
    verbs.make("bootstrap").ok();
    assert!(verbs.make("check").ok().contains("@world resolves, 1 package"));
    let arrived = ["run", "--rm", "--entrypoint", "cat", &verbs.image(), "/etc/portage/package.use"];
    assert_eq!(docker(&arrived).ok(), "test-quick/t1 -doc\n");
    verbs.make("builder").ok();
    verbs.make("build").ok();
    let rest = verbs.rest();
    assert!(rest.starts_with("waiting: everything is up to date (release "), "{rest}");
    assert!(rest.contains(".1, 1 package; 1 package built)"), "{rest}");

    assert!(verbs.make("status").ok().starts_with("waiting: "));
    assert!(verbs.make("logs").ok().contains(">>> Completed (1 of 1) test-quick/t1-1"));
    // make's own code for a recipe that failed is 2; the reason is in the words.
    assert!(verbs.make("resume").exited(2).contains("nothing to resume"));
    verbs.make("sync").ok();
    verbs.rest();

    // The client changed: a new world, taken over by the running builder.
    fs::write(verbs.config.path().join("world"), "test-quick/t1\ntest-quick/t2\n").expect("a world file");
    verbs.make("update").ok();
    let script = "gbsup status --watch --json | grep -m 1 '\"step\":\"wait\".*\"id\":3'";
    docker(&["exec", &verbs.name, "sh", "-c", script]).ok();
    assert!(verbs.typing("bash", "ls /var/lib/gbsup/binpkgs/test-quick\n").ok().contains("t2"));

    let snapshot = verbs.make("snapshot").ok();
    assert!(snapshot.contains(":snapshot-"), "{snapshot}");
    docker(&["image", "inspect", snapshot.trim()]).ok();

    verbs.make("stop").ok();
    let state = ["container", "inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", &verbs.name];
    assert_eq!(docker(&state).ok().trim(), "exited 0");
    assert!(verbs.typing("bash", "gbsup --version\n").ok().contains(env!("CARGO_PKG_VERSION")));

    // Another container on the same volume compiles nothing.
    verbs.make("build").ok();
    verbs.rest();
    verbs.make("recreate").ok();
    let headline = verbs.rest();
    assert!(headline.contains("merged from binpkgs") && !headline.contains("built"), "{headline}");
}

#[test]
fn a_world_that_cannot_be_built_fails_the_check_and_is_named() {
    let verbs = Verbs::new("gbsup-check", "test-mask/masked\n");
    verbs.make("bootstrap").ok();
    assert!(verbs.make("check").exited(2).contains("test-mask/masked"));
}
