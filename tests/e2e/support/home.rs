//! Keys that releases are signed with.

use std::path::{Path, PathBuf};

use super::docker::{Ran, docker, image, remove};

/// Where the key is in a container.
pub const KEY: &str = "/var/lib/gbsup-key";

/// A directory of this machine for a key.
pub struct Home(PathBuf);

impl Home {
    /// With a key, made by gbsup in a container of its own.
    #[track_caller]
    pub fn new() -> Self {
        let home = Self::without_key();
        let made = home.run(&[], &["key", "init", "--expire", "1y"]).ok();
        assert!(made.contains("name     gbsup packages\n"), "{made}");
        home
    }

    /// An empty one.
    pub fn without_key() -> Self {
        let parent = Path::new(env!("CARGO_TARGET_TMPDIR"));
        Self(tempfile::Builder::new().prefix("key-").tempdir_in(parent).expect("a directory").keep())
    }

    /// What mounts it.
    pub fn mount(&self) -> String {
        format!("{}:{KEY}", self.0.display())
    }

    /// `gbsup` in a container without network, that has the key and what `args` give it.
    pub fn run(&self, args: &[&str], gbsup: &[&str]) -> Ran {
        let mode = if gbsup.contains(&"init") { "rw" } else { "ro" };
        let mount = format!("{}:{mode}", self.mount());
        let run =
            ["run", "--rm", "--network", "none", "--read-only", "--cap-drop", "ALL", "--volume", &mount];
        docker(&[&run, args, &[image()], gbsup].concat())
    }

    /// The fingerprint of the key.
    #[track_caller]
    pub fn fingerprint(&self) -> String {
        let shown = self.run(&[], &["key", "show", "--json"]).ok();
        let shown: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
        shown["signs"].as_str().expect("it signs").to_owned()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        remove(&self.0);
    }
}
