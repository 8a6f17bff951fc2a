//! Builders that have their first cycle behind them: made once for all tests that begin with one.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use gbsup::model::status::Mode;

use super::docker::{command, docker};
use super::recipe::Recipe;

/// What a builder left when it was stopped at rest.
pub(super) struct Settled {
    /// Its root file system, which keeps its identity.
    pub(super) image: String,
    volume: PathBuf,
}

impl Settled {
    /// That of a builder with these atoms as its world and no other configuration. Whoever comes first makes it, and those who
    /// wait for that have no slot meanwhile.
    pub(super) fn with_world(world: &[&str]) -> Arc<Self> {
        type Made = Arc<OnceLock<Arc<Settled>>>;
        static ALL: Mutex<BTreeMap<String, Made>> = Mutex::new(BTreeMap::new());
        let made = {
            let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(all.entry(world.join(" ")).or_default())
        };
        Arc::clone(made.get_or_init(|| Arc::new(Self::make(world))))
    }

    fn make(world: &[&str]) -> Self {
        let mut builder = Recipe::new(world).start();
        builder.wait_for("it is at rest", |status| matches!(status.state, Mode::Waiting | Mode::Paused));
        assert_eq!(builder.stop().1, 0);
        let image = format!("{}-settled", builder.name());
        let volume = Path::new(env!("CARGO_TARGET_TMPDIR")).join(&image);
        remove_at_the_end(&image, &volume);
        copy(&builder.on_volume(""), &volume);
        docker(&["commit", builder.name(), &image]).ok();
        Self { image, volume }
    }

    /// Makes a directory, which is empty, the volume that it left.
    pub(super) fn give_volume(&self, directory: &Path) {
        copy(&self.volume, directory);
    }
}

/// With owners, times, and what has two names.
fn copy(from: &Path, to: &Path) {
    let from = from.display().to_string();
    let to = to.display().to_string();
    let ran = command("cp", &["--archive", "--reflink=auto", "--no-target-directory", &from, &to], None, &[]);
    assert_eq!(ran.code, 0, "{}", ran.err);
}

/// Removes an image and a directory when this process is gone, however it ends: a shell in a group of its own waits for that.
fn remove_at_the_end(image: &str, directory: &Path) {
    static JANITOR: Mutex<Option<Child>> = Mutex::new(None);
    const CLEANS_UP: &str = "trap '' INT TERM HUP; all=$(cat); \
        printf '%s\\n' \"$all\" | while read -r image directory; do docker rmi --force \"$image\"; rm -rf \"$directory\"; done";
    let mut janitor = JANITOR.lock().unwrap_or_else(PoisonError::into_inner);
    let janitor = janitor.get_or_insert_with(|| {
        Command::new("sh")
            .args(["-c", CLEANS_UP])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("sh starts")
    });
    let mut told = janitor.stdin.as_ref().expect("it is piped");
    writeln!(told, "{image} {}", directory.display()).expect("the shell reads");
}
