//! What a builder is made of, before there is one.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::builder::Builder;
use super::docker::{docker, feed, image, remove};
use super::settled::Settled;
use super::slot::Slot;

/// Before the real emerge: writes down each call, and that there were two at a time. The lock is held
/// by emerge itself and by every process that it forks without exec, also when emerge was killed. How much room this
/// machine has is nothing to it: with less than 18 GiB Portage would build one package at a time.
const ONE_EMERGE: &str = "\
#!/bin/bash
mkdir -p /run/test
exec 9>>/run/test/emerge.lock
flock --nonblock 9 || echo \"$(date +%T) $$ $*, beside: $(fuser /run/test/emerge.lock 2>&1)\" >>/run/test/two-emerges
echo \"$(date +%T) $$ $*\" >>/run/test/emerges
exec /usr/bin/emerge --jobs-tmpdir-require-free-gb=0 \"$@\"
";

/// What comes with each sync beside the repository; where it lies.
const MORE: &str = "/srv/more";
const SYNC_MORE: &str = "#!/bin/bash\nemaint sync -a && cp --recursive /srv/more/. /var/db/repos/pocket\n";

/// A directory of this machine that builders use as their volume, one after the other or at once.
#[derive(Debug)]
pub struct Volume(PathBuf);

impl Volume {
    fn make() -> Self {
        let parent = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let made = tempfile::Builder::new().prefix("volume-").tempdir_in(parent);
        Self(made.expect("a directory for the volume").keep())
    }

    /// Where it is on this machine.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        remove(&self.0);
    }
}

/// A builder to be made.
pub struct Recipe {
    image: String,
    world: Vec<String>,
    config: String,
    args: Vec<String>,
    command: Vec<String>,
    files: Vec<(String, String, u32)>,
    volume: Option<Arc<Volume>>,
    slot: Arc<Slot>,
}

impl Recipe {
    /// With these atoms as its world and a volume of its own. Waits until it may build.
    pub fn new(world: &[&str]) -> Self {
        // Without an image nobody has to wait for that.
        image();
        Self::within(Arc::new(Slot::take())).world(world)
    }

    /// With a volume of its own and the world of the image.
    pub(super) fn within(slot: Arc<Slot>) -> Self {
        Self {
            image: image().to_owned(),
            world: Vec::new(),
            config: String::new(),
            args: Vec::new(),
            command: Vec::new(),
            files: Vec::new(),
            volume: Some(Arc::new(Volume::make())),
            slot,
        }
        .executable("/usr/local/bin/emerge", ONE_EMERGE)
    }

    /// Another one of a builder with these atoms as its world that is at rest after its first cycle, which it went through with
    /// nothing configured: it waits, or is paused for what failed. It begins no cycle by itself when it starts. For what comes
    /// later, since its first cycle is in no log of Docker's.
    pub fn settled(world: &[&str]) -> Self {
        let settled = Settled::with_world(world);
        let recipe = Self::new(&[]);
        if let Some(volume) = &recipe.volume {
            settled.give_volume(volume.path());
        }
        recipe.image(&settled.image).env("GBSUP_CYCLE_ON_START", "false")
    }

    /// With the world of the image, which is real software.
    pub fn real_world() -> Self {
        Self::new(&[])
    }

    /// One more builder of a test that has one already: with the volume of the first.
    pub fn beside(first: &Builder) -> Self {
        let mut recipe = Self {
            image: image().to_owned(),
            world: Vec::new(),
            config: String::new(),
            args: Vec::new(),
            command: Vec::new(),
            files: Vec::new(),
            volume: first.shared_volume(),
            slot: first.slot(),
        };
        recipe = recipe.executable("/usr/local/bin/emerge", ONE_EMERGE);
        recipe
    }

    /// Another world.
    pub fn world(mut self, world: &[&str]) -> Self {
        self.world = world.iter().map(ToString::to_string).collect();
        self
    }

    /// With an older Portage: from the image beside the one under test.
    #[track_caller]
    pub fn older(mut self) -> Self {
        self.image = format!("{}-older", image());
        let there = docker(&["image", "inspect", &self.image]).code == 0;
        assert!(there, "this test needs the image {}; make test builds it", self.image);
        self
    }

    /// From another image, such as a snapshot; it brings its own world and configuration.
    pub fn image(mut self, image: &str) -> Self {
        image.clone_into(&mut self.image);
        self
    }

    /// The configuration file.
    pub fn config(mut self, text: &str) -> Self {
        text.clone_into(&mut self.config);
        self
    }

    /// A variable of the container.
    pub fn env(self, name: &str, value: &str) -> Self {
        self.args(&["--env", &format!("{name}={value}")])
    }

    /// Further arguments for `docker create`.
    pub fn args(mut self, args: &[&str]) -> Self {
        self.args.extend(args.iter().map(ToString::to_string));
        self
    }

    /// What `gbsup` does in place of init.
    pub fn command(mut self, args: &[&str]) -> Self {
        self.command = args.iter().map(ToString::to_string).collect();
        self
    }

    /// A file in the container.
    pub fn file(mut self, path: &str, text: &str) -> Self {
        self.files.push((path.to_owned(), text.to_owned(), 0o644));
        self
    }

    /// A file of the ebuild repository, which the container gets when it syncs.
    pub fn in_tree(self, path: &str, text: &str) -> Self {
        self.file(&format!("{MORE}/{path}"), text)
    }

    /// A program in the container.
    pub fn executable(mut self, path: &str, text: &str) -> Self {
        self.files.push((path.to_owned(), text.to_owned(), 0o755));
        self
    }

    /// Nothing mounted by the harness; a test may mount something itself with [`Recipe::args`].
    pub fn no_volume(mut self) -> Self {
        self.volume = None;
        self
    }

    /// Makes the container without starting it.
    #[track_caller]
    pub fn create(mut self) -> Builder {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("gbsup-e2e-{}-{number}", std::process::id());
        let mut args: Vec<String> = ["create", "--name", &name, "--hostname", &name, "--label", "gbsup.test"]
            .map(str::to_owned)
            .to_vec();
        // The load of the machine that runs the tests shall not decide what is built at a time.
        args.extend(["--env", "GBSUP_BUILD_LOAD_AVERAGE=none"].map(str::to_owned));
        // Without a key, that is meant so; a test with one says otherwise.
        if !self.args.iter().any(|arg| arg.starts_with("GBSUP_PUBLISH_")) {
            args.extend(["--env", "GBSUP_PUBLISH_SIGN_KEY=none"].map(str::to_owned));
        }
        if !self.args.iter().any(|arg| arg.starts_with("--health")) {
            args.push("--no-healthcheck".to_owned());
        }
        if !self.args.iter().any(|arg| arg.starts_with("--net")) {
            args.extend(["--network", "none"].map(str::to_owned));
        }
        if self.files.iter().any(|(path, ..)| path.starts_with(MORE)) {
            self.files.push(("/usr/local/bin/sync-more".to_owned(), SYNC_MORE.to_owned(), 0o755));
            args.extend(["--env", "GBSUP_SYNC_COMMAND=sync-more"].map(str::to_owned));
        }
        if let Some(volume) = &self.volume {
            args.extend(["--volume".to_owned(), format!("{}:{}", volume.path().display(), super::VOLUME)]);
        }
        args.append(&mut self.args);
        args.push(self.image);
        args.append(&mut self.command);
        docker(&args).ok();
        let builder = Builder::new(name, self.volume, self.slot);
        if !self.world.is_empty() {
            self.files.push(("/var/lib/portage/world".to_owned(), self.world.join("\n") + "\n", 0o644));
        }
        if !self.config.is_empty() {
            self.files.push(("/etc/gbsup/gbsup.toml".to_owned(), self.config, 0o644));
        }
        let archive = archive(&self.files);
        feed(&["cp", "-", &format!("{}:/", builder.name())], &archive).ok();
        builder
    }

    /// Makes the container and starts it.
    #[track_caller]
    pub fn start(self) -> Builder {
        let mut builder = self.create();
        builder.start();
        builder
    }
}

fn archive(files: &[(String, String, u32)]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, text, mode) in files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(*mode);
        header.set_size(text.len() as u64);
        header.set_mtime(1_700_000_000);
        archive.append_data(&mut header, path.trim_start_matches('/'), text.as_bytes()).expect("in memory");
    }
    archive.into_inner().expect("in memory")
}
