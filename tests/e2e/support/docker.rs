//! The docker command.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::costs;

/// No docker command takes longer than this, whatever hangs behind it.
const LONGEST: &str = "600";

/// How a command ended.
#[derive(Clone, Debug)]
pub struct Ran {
    /// Its exit code; -1 when a signal ended it.
    pub code: i32,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

impl Ran {
    /// What it printed; it has to have succeeded.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, 0, "it failed: {}{}", self.out, self.err);
        self.out
    }

    /// Both streams; it has to have ended with this code.
    #[track_caller]
    pub fn exited(self, code: i32) -> String {
        assert_eq!(self.code, code, "it printed: {}{}", self.out, self.err);
        self.out + &self.err
    }
}

/// Runs docker to its end.
pub fn docker<S: AsRef<str>>(args: &[S]) -> Ran {
    feed(args, &[])
}

/// The same with something on its standard input.
pub fn feed<S: AsRef<str>>(args: &[S], input: &[u8]) -> Ran {
    let mut args: Vec<&str> = args.iter().map(AsRef::as_ref).collect();
    let group = matches!(args[..], ["run" | "create", ..]).then(costs::group).flatten();
    if let Some(group) = &group {
        args.splice(1..1, ["--cgroup-parent", group]);
    }
    command("timeout", &[&["--kill-after=5", LONGEST, "docker"], &args[..]].concat(), None, input)
}

/// Runs a command of this machine to its end.
pub fn command(program: &str, args: &[&str], directory: Option<&Path>, input: &[u8]) -> Ran {
    let mut command = Command::new(program);
    command.args(args).stdin(if input.is_empty() { Stdio::null() } else { Stdio::piped() });
    command.current_dir(directory.unwrap_or(Path::new("/")));
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program} starts: {error}"));
    if let Some(mut stdin) = child.stdin.take() {
        // A command that does not read its input says so by failing.
        drop(stdin.write_all(input));
    }
    let output = child.wait_with_output().expect("its output can be read");
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The image under test. Fails with what to do when it or Docker is not there.
pub fn image() -> &'static str {
    static IMAGE: OnceLock<Result<String, String>> = OnceLock::new();
    let found = IMAGE.get_or_init(|| {
        let image = std::env::var("GBSUP_TEST_IMAGE").unwrap_or_else(|_| "gbsup-pocket".to_owned());
        let version = docker(&["version", "--format", "{{.Server.Version}}"]);
        if version.code != 0 {
            return Err(format!("these tests need Docker, and it does not answer: {}", version.err.trim()));
        }
        match docker(&["image", "inspect", &image]).code {
            0 => Ok(image),
            _ => Err(format!("these tests need the image {image}; make test builds it")),
        }
    });
    found.as_deref().unwrap_or_else(|problem| panic!("{problem}"))
}

/// Waits for something outside that nobody tells about: a file, a process. Fails after a while. The longer it has taken, the
/// longer until it looks again, since a look may be a command of Docker's, which takes more than it seems.
#[track_caller]
pub fn host_wait(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        let waited = begun.elapsed();
        assert!(waited < super::PATIENCE, "waited in vain until {what}");
        std::thread::sleep((waited / 10).clamp(Duration::from_millis(20), Duration::from_secs(1)));
    }
}

/// The same for what is true only for a moment, or never, when `over` is so first.
#[track_caller]
pub fn catch(what: &str, is_so: impl Fn() -> bool, over: impl Fn() -> bool) {
    let deadline = Instant::now() + super::PATIENCE;
    while !is_so() && !over() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Whether what a test made is to stay: it fails, and somebody wants to look at it (`GBSUP_TEST_KEEP`).
pub fn is_kept() -> bool {
    std::thread::panicking() && std::env::var_os("GBSUP_TEST_KEEP").is_some_and(|keep| !keep.is_empty())
}

/// Removes a directory, whoever owns what is in it; but not of a test that is kept.
pub fn remove(directory: &Path) {
    if is_kept() {
        eprintln!("afterwards: rm -r {}", directory.display());
        return;
    }
    if std::fs::remove_dir_all(directory).is_err()
        && let (Some(parent), Some(name)) = (directory.parent(), directory.file_name())
    {
        let mount = format!("{}:/parent", parent.display());
        let name = format!("/parent/{}", name.to_string_lossy());
        docker(&["run", "--rm", "--entrypoint", "rm", "-v", &mount, image(), "-rf", &name]);
    }
}
