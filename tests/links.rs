//! A configuration that is made of links: what they lead to arrives in the image, or they are named.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A machine's files, and the image they are to arrive in.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(TempDir::new().unwrap());
        for directory in ["config/portage", "staged", "image/etc/portage", "image/var/db/repos/r/profiles/p"]
        {
            fs::create_dir_all(place.at(directory)).unwrap();
        }
        place
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn file(&self, path: &str, text: &str) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn link(&self, path: &str, target: impl AsRef<Path>) {
        symlink(target, self.at(path)).unwrap();
    }

    fn run(&self, script: &str, argument: &str) -> Result<(), String> {
        self.run_for("config", script, argument)
    }

    /// Runs a script for this configuration.
    fn run_for(&self, config: &str, script: &str, argument: &str) -> Result<(), String> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(script);
        let mut command = Command::new("bash");
        command
            .arg(script)
            .arg(self.at(argument))
            .env("CONFIG", self.at(config))
            .env("ROOT", self.at("image"));
        let ran = command.output().unwrap();
        let words = String::from_utf8_lossy(&ran.stderr).into_owned();
        if ran.status.success() { Ok(()) } else { Err(words) }
    }

    /// As `make bootstrap` does it.
    fn arrives(&self) -> Result<(), String> {
        self.run("scripts/stage", "staged")?;
        self.run("image/configure", "staged")
    }

    fn text(&self, path: &str) -> String {
        fs::read_to_string(self.at("image").join(path)).unwrap_or_else(|problem| panic!("{path}: {problem}"))
    }
}

#[test]
fn what_links_lead_to_arrives() {
    let place = Place::new();
    place.file("real/make.conf", "CFLAGS=-O2");
    place.file("real/use/.of a kind", "a/b c");
    place.file("real/world", "a/b\n");
    place.link("config/portage/make.conf", "../../real/make.conf");
    place.link("config/portage/package.use", place.at("real/use"));
    // A link to a link, within what a link leads to.
    place.link("real/use/deep", "../again");
    place.link("real/again", "make.conf");
    place.link("config/portage/package.mask", "/dev/null");
    place.link("config/portage/make.profile", "../../var/db/repos/r/profiles/p");
    place.link("config/world", "../real/world");
    place.arrives().unwrap();
    assert_eq!(place.text("etc/portage/make.conf/make.conf"), "CFLAGS=-O2");
    assert_eq!(place.text("etc/portage/package.use/.of a kind"), "a/b c");
    assert_eq!(place.text("etc/portage/package.use/deep"), "CFLAGS=-O2");
    assert_eq!(place.text("etc/portage/package.mask"), "");
    assert_eq!(place.text("var/lib/portage/world"), "a/b\n");
    let profile = fs::read_link(place.at("image/etc/portage/make.profile")).unwrap();
    assert_eq!(profile, Path::new("../../var/db/repos/r/profiles/p"), "a profile stays where it is");
}

#[test]
fn the_whole_directory_may_be_a_link() {
    let place = Place::new();
    fs::remove_dir(place.at("config/portage")).unwrap();
    place.file("machine/portage/make.conf", "CFLAGS=-O2");
    place.file("machine/repos/r/profiles/repo_name", "r");
    place.file("machine/repos/r/profiles/p/eapi", "8");
    place.file("machine/custom/parent", "r:p");
    place.link("config/portage", "../machine/portage");
    // A profile of one's own is no part of a repository, so it comes along.
    place.link("machine/portage/make.profile", "../custom");
    place.arrives().unwrap();
    assert_eq!(place.text("etc/portage/make.conf/make.conf"), "CFLAGS=-O2");
    assert_eq!(place.text("etc/portage/make.profile/parent"), "r:p");

    // One of a repository that the image does not have is named.
    fs::remove_file(place.at("machine/portage/make.profile")).unwrap();
    place.link("machine/portage/make.profile", "../repos/r/profiles/p");
    fs::remove_dir_all(place.at("staged")).unwrap();
    fs::create_dir(place.at("staged")).unwrap();
    let words = place.arrives().unwrap_err();
    assert!(words.contains("portage/make.profile is a link to"), "{words}");
}

#[test]
fn what_leads_nowhere_is_named_and_changes_nothing() {
    for (link, target) in [
        ("config/portage/make.conf", "../../real/make.conf"),
        ("config/portage/package.use", "/srv/dotfiles/package.use"),
        ("config/portage/env", "env"),
        ("config/portage/sets", "../portage"),
        ("config/world", "../real/world"),
        ("config/world_sets", "/nowhere"),
    ] {
        let place = Place::new();
        place.file("image/etc/portage/package.use", "as before");
        place.file("config/portage/package.env", "x");
        place.link(link, target);
        let words = place.arrives().unwrap_err();
        let name = link.strip_prefix("config/").unwrap();
        assert!(words.contains(name), "{link}: {words}");
        assert_eq!(place.text("etc/portage/package.use"), "as before");
        assert!(!place.at("image/etc/portage/package.env").exists(), "{link}");
    }
}

#[test]
fn a_link_that_leads_somewhere_in_the_image_stays() {
    let place = Place::new();
    place.file("image/usr/share/portage/config/repos.conf", "[r]");
    place.link("config/portage/repos.conf", "/usr/share/portage/config/repos.conf");
    place.link("config/portage/make.profile", "../../var/db/repos/overlay/profiles/p");
    place.arrives().unwrap();
    let link = fs::read_link(place.at("image/etc/portage/repos.conf")).unwrap();
    assert_eq!(link, Path::new("/usr/share/portage/config/repos.conf"));
}

impl Place {
    /// A tar of what is in `config`, as `laptop.tar`.
    fn packed(&self) {
        let packed = Command::new("tar")
            .args(["--create", "--absolute-names", "--file"])
            .arg(self.at("laptop.tar"))
            .arg("--directory")
            .arg(self.at("config"))
            .args(fs::read_dir(self.at("config")).unwrap().map(|entry| entry.unwrap().file_name()))
            .status();
        assert!(packed.unwrap().success());
    }

    fn unpacks(&self) -> Result<(), String> {
        self.run_for("laptop.tar", "scripts/stage", "staged")
    }
}

#[test]
fn a_tar_is_a_configuration_too() {
    let place = Place::new();
    place.file("config/portage/make.conf", "CFLAGS=-O2");
    place.file("config/portage/package.use/own", "a/b c");
    place.link("config/portage/package.mask", "package.use/own");
    place.link("config/portage/make.profile", "../../var/db/repos/r/profiles/p");
    place.file("config/world", "a/b\n");
    place.file("config/machine.json", "{}");
    place.packed();
    place.unpacks().unwrap();
    assert!(!place.at("staged/machine.json").exists(), "an image has no use for it");
    place.run("image/configure", "staged").unwrap();
    assert_eq!(place.text("etc/portage/make.conf/make.conf"), "CFLAGS=-O2");
    assert_eq!(place.text("etc/portage/package.mask"), "a/b c");
    assert_eq!(place.text("var/lib/portage/world"), "a/b\n");
}

#[test]
fn a_tar_of_a_stranger_takes_nothing_of_this_machine_along() {
    let secret = Place::new();
    secret.file("secret", "of this machine");
    secret.file("own/parent", "of this machine");
    for (link, target) in [
        ("portage/make.conf", secret.at("secret")),
        ("portage/package.use", secret.at("own")),
        ("portage/package.use", "../../secret".into()),
        ("portage/make.profile", secret.at("own")),
        ("world", secret.at("secret")),
    ] {
        let place = Place::new();
        place.file("secret", "of this machine");
        place.file("config/portage/package.env", "x");
        place.link(&format!("config/{link}"), &target);
        place.packed();
        let words = place.unpacks().unwrap_err();
        assert!(words.contains(&format!("{link} is a link to ")), "{link}: {words}");
        assert_eq!(fs::read_dir(place.at("staged")).unwrap().count(), 0, "{link}");
    }
    let place = Place::new();
    fs::create_dir_all(place.at("config/portage")).unwrap();
    nix::unistd::mkfifo(&place.at("config/portage/package.use"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    place.packed();
    assert!(place.unpacks().unwrap_err().contains("more than files, directories and links"));
    for (bytes, why) in [
        (&fs::read(place.at("laptop.tar")).unwrap()[..700], "is no tar"),
        (b"no tar", "is no tar"),
        (b"", "is no tar"),
    ] {
        fs::write(place.at("laptop.tar"), bytes).unwrap();
        let words = place.unpacks().unwrap_err();
        assert!(words.contains(why), "{words}");
    }
}
