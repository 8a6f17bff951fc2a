//! Key rings: the keys whose signatures count.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::{Error, Gpg};
use crate::portage::files::gpkg::signed::Judge;
use crate::portage::files::signatures::OwnKey;
use crate::portage::output::gpg::{self, Doubt};

/// What of a home a ring is made of: public keys, and how far they are trusted. `public-keys.d` and `common.conf` are
/// those of a keyboxd.
const PARTS: &[&str] = &["pubring.kbx", "pubring.gpg", "trustdb.gpg", "public-keys.d", "common.conf"];

/// GnuPG with some public keys.
#[derive(Debug)]
pub struct Ring {
    gpg: Gpg,
    counts: Counts,
}

/// Of which keys the signatures count.
#[derive(Debug)]
enum Counts {
    /// All that are there.
    All,
    /// Those that GnuPG's own database trusts, and these fingerprints.
    Trusted(Vec<String>),
}

impl Ring {
    /// The public keys of a file, all of which count.
    ///
    /// # Errors
    /// When it cannot be read, or has none.
    pub(crate) fn of_file(file: &Path) -> Result<Self, Error> {
        let keys = fs::read(file).map_err(|source| Error::Home { path: file.to_owned(), source })?;
        let gpg = Gpg::new()?;
        gpg.run("read public keys", &["--import"], &keys)?;
        Ok(Self { gpg, counts: Counts::All })
    }

    /// The public keys that a home trusts, as Portage uses it, and the one that this Portage signs with. It is a copy,
    /// so that nothing is ever written there.
    ///
    /// # Errors
    /// When GnuPG does not do what it should, or a home cannot be read. One that is not there has no keys.
    pub(crate) fn trusted(home: &Path, own: Option<&OwnKey>) -> Result<Self, Error> {
        let gpg = copy(home)?;
        let mut fingerprints = Vec::new();
        if let Some(OwnKey { home, key }) = own {
            let theirs = copy(home)?;
            let public = theirs.run("give the public key", &["--export", "--", key], b"")?;
            gpg.run("read the public key", &["--import"], &public)?;
            let listing = theirs.run("list its keys", &[LIST, &["--", key]].concat(), b"")?;
            let keys = gpg::keys(&String::from_utf8_lossy(&listing));
            fingerprints.extend(keys.into_iter().map(|key| key.fingerprint));
        }
        Ok(Self { gpg, counts: Counts::Trusted(fingerprints) })
    }

    /// What decides which signatures count, in a text that is another one when that changes; nothing when there are no
    /// keys.
    ///
    /// # Errors
    /// When GnuPG does not say.
    pub(crate) fn verdicts(&self) -> Result<Option<String>, Error> {
        let listing = self.gpg.run("list its keys", LIST, b"")?;
        let own = match &self.counts {
            Counts::All => String::new(),
            Counts::Trusted(fingerprints) => fingerprints.join(" "),
        };
        let verdicts = gpg::verdicts(&String::from_utf8_lossy(&listing));
        Ok(verdicts.map(|verdicts| format!("{own}\n{verdicts}")))
    }

    /// Has a signature looked at: what gpg printed of what was signed.
    fn ask(&self, arguments: &[&str], data: &mut dyn Read) -> Result<Vec<u8>, Doubt> {
        // Portage has it use the database as it is, too (`make.globals:BINPKG_GPG_VERIFY_BASE_COMMAND`).
        let trust: &[&str] = match self.counts {
            Counts::All => &["--trust-model", "always"],
            Counts::Trusted(_) => &["--no-auto-check-trustdb"],
        };
        let mut running = self.gpg.start(&[trust, arguments].concat()).map_err(|error| unchecked(&error))?;
        // What it has not read of something that is no signature it does not want.
        drop(io::copy(data, &mut running));
        let ended = running.end().map_err(|error| unchecked(&error))?;
        let by = match gpg::signature(&ended.said) {
            Err(Doubt::Unchecked(_)) => return Err(Doubt::Unchecked(ended.words())),
            by => by?,
        };
        match &self.counts {
            Counts::Trusted(own) if !own.contains(&by) && !gpg::is_trusted(&ended.said) => {
                Err(Doubt::Untrusted(by))
            }
            _ => Ok(ended.out),
        }
    }
}

impl Judge for Ring {
    fn clear(&self, text: &str) -> Result<String, Doubt> {
        let out = self.ask(&["--output", "-", "--verify"], &mut text.as_bytes())?;
        String::from_utf8(out).map_err(|error| unchecked(&error))
    }

    fn detached(&self, signature: &[u8], data: &mut dyn Read) -> Result<(), Doubt> {
        let file = Signature::write(&self.gpg.home, signature).map_err(|error| unchecked(&error))?;
        self.ask(&["--verify", "--", &file.0.to_string_lossy(), "-"], data).map(drop)
    }
}

/// The file of a signature, of which gpg wants the name. It goes when it was looked at.
struct Signature(PathBuf);

impl Signature {
    fn write(home: &Path, signature: &[u8]) -> io::Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let file = Self(home.join(format!("{number}.sig")));
        fs::write(&file.0, signature)?;
        Ok(file)
    }
}

impl Drop for Signature {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
    }
}

const LIST: &[&str] = &["--with-colons", "--no-auto-check-trustdb", "--list-keys"];

fn unchecked(error: &impl ToString) -> Doubt {
    Doubt::Unchecked(error.to_string())
}

/// What a home has of public keys.
fn copy(home: &Path) -> Result<Gpg, Error> {
    let unusable = |source| Error::Home { path: home.to_owned(), source };
    let gpg = Gpg::new()?;
    for part in PARTS {
        copy_all(&home.join(part), &gpg.home.join(part)).map_err(unusable)?;
    }
    Ok(gpg)
}

/// Copies a file, or a directory with the files in it; nothing where there is none.
fn copy_all(from: &Path, to: &Path) -> io::Result<()> {
    if from.is_dir() {
        fs::create_dir(to)?;
        let mut entries = fs::read_dir(from)?;
        return entries.try_for_each(|entry| {
            let name = entry?.file_name();
            copy_all(&from.join(&name), &to.join(&name))
        });
    }
    match fs::copy(from, to) {
        // What is neither file nor directory is no key.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidInput) => Ok(()),
        copied => copied.map(drop),
    }
}

#[cfg(test)]
pub(in crate::binhost) mod tests {
    use std::process::Command;

    use super::super::{KeySigner, Running, generate};
    use super::*;
    use crate::portage::files::gpkg::sign::tests::PACKAGE;
    use crate::portage::files::gpkg::sign::{Signer, sign};
    use crate::portage::files::gpkg::{Damage, signed};

    /// A home of GnuPG with one key, and another one that has its public part.
    pub(in crate::binhost) struct Keys {
        dir: tempfile::TempDir,
        pub(in crate::binhost) own: OwnKey,
    }

    impl Keys {
        pub(in crate::binhost) fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let home = dir.path().join("secret");
            let key = generate(&home, "builder", "never").unwrap().fingerprint;
            let keys = Self { dir, own: OwnKey { home: home.clone(), key: key.clone() } };
            fs::create_dir(keys.ring()).unwrap();
            let public = Gpg::with_secrets(&home).unwrap().public(&key).unwrap();
            fs::write(keys.dir.path().join("public"), public).unwrap();
            keys.gpg(&["--import", &keys.dir.path().join("public").to_string_lossy()]);
            keys
        }

        pub(in crate::binhost) fn ring(&self) -> PathBuf {
            self.dir.path().join("ring")
        }

        /// What an administrator does with the ring.
        fn gpg(&self, arguments: &[&str]) {
            let mut command = Command::new("gpg");
            command.arg("--homedir").arg(self.ring()).args(["--batch", "--quiet", "--no-permission-warning"]);
            let done = command.args(arguments).output().unwrap();
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        }

        pub(in crate::binhost) fn trust(&self) {
            let file = self.dir.path().join("trust");
            fs::write(&file, format!("{}:6:\n", self.own.key)).unwrap();
            self.gpg(&["--import-ownertrust", &file.to_string_lossy()]);
            self.gpg(&["--check-trustdb"]);
        }

        pub(in crate::binhost) fn signer(&self) -> KeySigner {
            KeySigner::new(Gpg::with_secrets(&self.own.home).unwrap(), &self.own.key)
        }

        pub(in crate::binhost) fn revoke(&self) {
            let made = self.own.home.join(format!("openpgp-revocs.d/{}.rev", self.own.key));
            // A colon keeps it from being used by mistake.
            let text = fs::read_to_string(made).unwrap().replace(":-----BEGIN", "-----BEGIN");
            let file = self.dir.path().join("revocation");
            fs::write(&file, text).unwrap();
            self.gpg(&["--import", &file.to_string_lossy()]);
        }

        fn look(&self, package: &[u8], own: Option<&OwnKey>) -> Result<bool, Damage> {
            let ring = Ring::trusted(&self.ring(), own).unwrap();
            let found = signed::verify(io::Cursor::new(package), package.len() as u64, &ring, false);
            found.map(|sound| sound.is_signed)
        }

        fn verdicts(&self) -> Option<String> {
            Ring::trusted(&self.ring(), None).unwrap().verdicts().unwrap()
        }
    }

    pub(in crate::binhost) fn package(signer: &impl Signer) -> Vec<u8> {
        let mut out = io::Cursor::new(Vec::new());
        sign(PACKAGE, PACKAGE.len() as u64, &mut out, signer, 1_800_000_000).unwrap();
        out.into_inner()
    }

    /// Signs the Manifest with one key, and all else with another.
    struct Mixed(KeySigner, KeySigner);

    impl Signer for Mixed {
        type Detached = Running;

        fn begin(&self) -> io::Result<Running> {
            self.1.begin()
        }

        fn finish(&self, detached: Running) -> io::Result<Vec<u8>> {
            self.1.finish(detached)
        }

        fn clear(&self, text: &str) -> io::Result<Vec<u8>> {
            self.0.clear(text)
        }
    }

    impl Drop for Keys {
        fn drop(&mut self) {
            let mut kill = Command::new("gpgconf");
            drop(kill.arg("--homedir").arg(self.ring()).args(["--kill", "all"]).output());
        }
    }

    #[test]
    fn a_signature_counts_when_its_key_is_trusted_or_ones_own() {
        let (keys, other) = (Keys::new(), Keys::new());
        let ours = package(&keys.signer());
        let untrusted = Err(Damage::Signature(Doubt::Untrusted(keys.own.key.clone())));
        assert_eq!(keys.look(&ours, None), untrusted);
        assert_eq!(keys.look(&ours, Some(&keys.own)), Ok(true));
        let before = keys.verdicts().expect("there is a key");
        keys.trust();
        assert_eq!(keys.look(&ours, None), Ok(true));
        assert_ne!(keys.verdicts().as_ref(), Some(&before), "what was good or bad may be so no more");

        let is_unknown = |found| matches!(found, Err(Damage::Signature(Doubt::Unknown(_))));
        assert!(is_unknown(other.look(&ours, None)));
        let mixed = package(&Mixed(keys.signer(), other.signer()));
        assert!(is_unknown(keys.look(&mixed, None)), "Portage asks for each");
        let all = Ring::of_file(&keys.dir.path().join("public")).unwrap();
        assert!(signed::verify(io::Cursor::new(&ours), ours.len() as u64, &all, true).is_ok());
        assert_eq!(keys.look(PACKAGE, None), Ok(false));
        let none = Ring::trusted(&keys.dir.path().join("none"), None).unwrap();
        assert_eq!(none.verdicts().unwrap(), None);
    }
}
