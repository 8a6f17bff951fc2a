//! A machine that installs what a builder offers.

use std::sync::atomic::{AtomicU32, Ordering};

use super::builder::Builder;
use super::docker::{Ran, docker, feed, is_kept};

/// A container of the test Gentoo as it is, without anything of a builder; it ends with the test.
pub struct Client {
    name: String,
}

impl Client {
    /// In the network of this builder, whose server it reaches as 127.0.0.1.
    #[track_caller]
    pub fn of(builder: &Builder) -> Self {
        Self::with(&["--network", &format!("container:{}", builder.name())])
    }

    /// The same with an older Portage, for which unsigned packages and their servers were another matter.
    #[track_caller]
    pub fn older(builder: &Builder) -> Self {
        Self::made(&["--network", &format!("container:{}", builder.name())], "-3.0.77")
    }

    /// With these arguments for `docker run`.
    #[track_caller]
    pub fn with(args: &[&str]) -> Self {
        Self::made(args, "")
    }

    #[track_caller]
    fn made(args: &[&str], version: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let client = Self { name: format!("gbsup-client-{}-{number}", std::process::id()) };
        let image = std::env::var("GBSUP_TEST_BASE").unwrap_or_else(|_| "gbsup-pocket-base".to_owned());
        let run = ["run", "--detach", "--init", "--name", &client.name, "--label", "gbsup.test"];
        docker(&[&run, args, &["--entrypoint", "sleep", &format!("{image}{version}"), "infinity"]].concat())
            .ok();
        client
    }

    /// With the releases of a builder in `/srv`, and no network.
    #[track_caller]
    pub fn of_releases(builder: &Builder) -> Self {
        let mount = format!("{}:/srv:ro", builder.on_volume("releases").display());
        Self::with(&["--network", "none", "--volume", &mount])
    }

    /// Does what `gbsup key show` says, so that it trusts that key.
    #[track_caller]
    pub fn trust(&self, shown: &str) {
        let (_, script) = shown.split_once("after:\n").expect("what a client does");
        let trusted = self.paste(&format!("set -e\ncd /srv\n{script}"));
        assert_eq!(trusted.code, 0, "{trusted:?}");
    }

    /// The container's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `docker exec`.
    pub fn exec(&self, args: &[&str]) -> Ran {
        docker(&[&["exec", self.name.as_str()], args].concat())
    }

    /// A shell script in the container.
    pub fn try_sh(&self, script: &str) -> Ran {
        self.exec(&["bash", "-c", script])
    }

    /// The same, which has to succeed; what it printed.
    #[track_caller]
    pub fn sh(&self, script: &str) -> String {
        let ran = self.try_sh(script);
        assert_eq!(ran.code, 0, "{script}: {}{}", ran.out, ran.err);
        ran.out
    }

    /// Types a script into a root shell of it.
    pub fn paste(&self, script: &str) -> Ran {
        feed(&["exec", "--interactive", &self.name, "sh"], script.as_bytes())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if is_kept() {
            let name = &self.name;
            eprintln!(
                "---- its client is kept ----\ndocker exec -it {name} bash\nafterwards: docker rm --force --volumes {name}"
            );
            return;
        }
        docker(&["rm", "--force", "--volumes", &self.name]);
    }
}
