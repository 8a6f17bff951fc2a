//! GnuPG, which signs and verifies, as child processes.
//!
//! It works in a directory of its own in memory, that only links to the keys: so the home that somebody gave is never
//! changed and may be read-only, neither its configuration nor what a kill left in it matters, and its agent serves nobody
//! else and ends with it. Nothing ever asks for a pass phrase, and what does nothing for a minute is killed.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder, File};
use std::io::{self, PipeWriter, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use crate::children;
use crate::portage::command::Inherits;
use crate::portage::files::gpkg::sign::Signer;
use crate::portage::output::gpg::{self, Key};
use crate::sys;

pub(crate) use ring::Ring;
use workplace::Workplace;
pub(crate) use workplace::sweep;

pub(super) mod ring;
mod workplace;

/// How long gpg may do nothing.
const LIMIT: Duration = Duration::from_mins(1);
/// What of a home holds keys; `public-keys.d` and `common.conf` are those of a keyboxd.
const KEYS: &[&str] = &["private-keys-v1.d", "pubring.kbx", "pubring.gpg", "public-keys.d", "common.conf"];

/// Why GnuPG cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The directory of the keys.
    #[error("the keys in {path} cannot be used: {source}")]
    Home {
        /// Where they are.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// Where it works.
    #[error("gpg cannot work in {path}: {source}")]
    Workplace {
        /// The directory.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// There is none.
    #[error("gpg is not installed")]
    Missing,
    /// Whatever is built could sign.
    #[error(
        "the keys in {0} can be read by others, so that whatever is built could sign; try: chown 0:0 {0} && chmod 700 {0}"
    )]
    Readable(PathBuf),
    /// It did not do what it should.
    #[error("gpg failed to {what}: {words}")]
    Failed {
        /// That.
        what: &'static str,
        /// Its words.
        words: String,
    },
}

impl Error {
    /// Whether no space was left.
    pub(crate) fn is_full(&self) -> bool {
        matches!(self, Self::Workplace { source, .. } if source.kind() == io::ErrorKind::StorageFull)
    }
}

/// A place in which GnuPG works.
#[derive(Debug)]
pub(crate) struct Gpg {
    home: PathBuf,
    /// What was made for this and goes with it; nothing when that is a home that somebody gave.
    _workplace: Option<Workplace>,
}

impl Gpg {
    /// With the secret keys of a home, or of a file that they were exported to: Docker and Kubernetes hand out secrets as files.
    ///
    /// # Errors
    /// When there is none, or others can read it.
    pub(crate) fn with_secrets(home: &Path) -> Result<Self, Error> {
        check(home)?;
        let this = Self::new()?;
        let unusable = |source| Error::Workplace { path: this.home.clone(), source };
        for name in KEYS.iter().filter(|name| home.join(name).exists()) {
            symlink(home.join(name), this.home.join(name)).map_err(unusable)?;
        }
        // Many signatures at once need more locked memory than it has at first.
        fs::write(this.home.join("gpg-agent.conf"), "auto-expand-secmem 0x30000\n").map_err(unusable)?;
        if home.is_file() {
            let keys = fs::read(home).map_err(|source| Error::Home { path: home.to_owned(), source })?;
            this.run("read the exported key", &["--import"], &keys)?;
        }
        Ok(this)
    }

    fn new() -> Result<Self, Error> {
        let workplace = Workplace::new().map_err(|(path, source)| Error::Workplace { path, source })?;
        Ok(Self { home: workplace.path().to_owned(), _workplace: Some(workplace) })
    }

    /// The secret keys that can sign.
    pub(crate) fn secret_keys(&self) -> Result<Vec<Key>, Error> {
        let listing = self.run("list its keys", &["--with-colons", "--list-secret-keys"], b"")?;
        Ok(gpg::keys(&String::from_utf8_lossy(&listing)))
    }

    /// The public part of a key, in ASCII armour.
    pub(crate) fn public(&self, fingerprint: &str) -> Result<Vec<u8>, Error> {
        let options = ["--armor", "--export-options", "export-minimal", "--export", fingerprint];
        self.run("give the public key", &options, b"")
    }

    fn run(&self, what: &'static str, arguments: &[&str], input: &[u8]) -> Result<Vec<u8>, Error> {
        let failed = |words: String| Error::Failed { what, words };
        let mut running = self.start(arguments).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::Missing,
            _ => failed(error.to_string()),
        })?;
        drop(running.write_all(input));
        match running.end() {
            Ok(ended) if ended.status.success() => Ok(ended.out),
            Ok(ended) => Err(failed(ended.words())),
            Err(error) => Err(failed(error.to_string())),
        }
    }

    fn environment(&self) -> BTreeMap<OsString, OsString> {
        let own: [(&str, &OsStr); 2] = [("GNUPGHOME", self.home.as_os_str()), ("LC_ALL", OsStr::new("C"))];
        children::environment(Inherits::Nothing, own)
    }

    fn start(&self, arguments: &[&str]) -> io::Result<Running> {
        const ALWAYS: &[&str] =
            &["--batch", "--no-tty", "--pinentry-mode", "error", "--disable-dirmngr", "--status-fd", "2"];
        let (reader, stdin) = io::pipe()?;
        // Files and no pipes: nobody has to read them while it works.
        let (out, said) = (sys::file_in_memory(b"")?, sys::file_in_memory(b"")?);
        let expression = duct::cmd("gpg", ALWAYS.iter().chain(arguments))
            .full_env(self.environment())
            .stdin_file(reader)
            .stdout_file(out.try_clone()?)
            .stderr_file(said.try_clone()?)
            .unchecked();
        let started = expression.start().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => io::Error::new(error.kind(), "gpg is not installed"),
            _ => error,
        });
        Running::new(stdin, started?, out, said)
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        let kill = duct::cmd("gpgconf", ["--kill", "all"]).full_env(self.environment()).stdin_null();
        drop(kill.stdout_null().stderr_null().unchecked().run());
    }
}

/// Whether only root can read what is in a home.
fn check(home: &Path) -> Result<(), Error> {
    let meta = fs::metadata(home).map_err(|source| Error::Home { path: home.to_owned(), source })?;
    let ours = meta.uid() == 0 || meta.uid() == nix::unistd::geteuid().as_raw();
    let others = meta.permissions().mode() & 0o077;
    if ours && others == 0 { Ok(()) } else { Err(Error::Readable(home.to_owned())) }
}

/// Makes a key without a pass phrase in a home that has none. The home is made, too; it will be readable by this
/// user alone. `expires` is as gpg takes it: `2y`, `never`.
///
/// # Errors
/// When there is one already, or it cannot be made.
pub(crate) fn generate(home: &Path, name: &str, expires: &str) -> Result<Key, Error> {
    let unusable = |source| Error::Home { path: home.to_owned(), source };
    if fs::read_dir(home).is_ok_and(|mut entries| entries.next().is_none()) {
        // A volume that was just made belongs to root, and everybody can look into it.
        fs::set_permissions(home, fs::Permissions::from_mode(0o700)).map_err(unusable)?;
    }
    DirBuilder::new().recursive(true).mode(0o700).create(home).map_err(unusable)?;
    check(home)?;
    let failed = |words: String| Error::Failed { what: "make a key", words };
    if !Gpg::with_secrets(home)?.secret_keys()?.is_empty() {
        return Err(failed(format!("there is one in {} already", home.display())));
    }
    let options = ["--pinentry-mode", "loopback", "--passphrase", ""];
    let make =
        [&options[..], &["--quick-generate-key", "--", name, "ed25519", "cert,sign", expires]].concat();
    Gpg { home: home.to_owned(), _workplace: None }.run("make a key", &make, b"")?;
    let keys = Gpg::with_secrets(home)?.secret_keys()?;
    keys.into_iter().next().ok_or_else(|| failed("none is there".to_owned()))
}

/// Makes a key as [`generate`] does, and writes its home into a directory that is not there yet. No agent ever works in that one: a
/// volume on a network may have no sockets.
///
/// # Errors
/// When it cannot be made or written.
pub(crate) fn generate_apart(directory: &Path, name: &str, expires: &str) -> Result<(), Error> {
    let place = Gpg::new()?;
    generate(&place.home, name, expires)?;
    let unusable = |source| Error::Home { path: directory.to_owned(), source };
    ["", "private-keys-v1.d", "openpgp-revocs.d"]
        .iter()
        .try_for_each(|part| copy_files(&place.home.join(part), &directory.join(part)))
        .map_err(unusable)
}

/// The plain files of a directory, into a new one that this user alone can look into.
fn copy_files(from: &Path, to: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// Signs packages with a key.
#[derive(Debug)]
pub struct KeySigner {
    gpg: Gpg,
    key: String,
}

impl KeySigner {
    /// With the key of this fingerprint.
    pub(crate) fn new(gpg: Gpg, key: &str) -> Self {
        Self { gpg, key: key.to_owned() }
    }

    /// What Portage runs (`make.globals:BINPKG_GPG_SIGNING_BASE_COMMAND`, `BINPKG_GPG_SIGNING_DIGEST`).
    fn start(&self, how: &str) -> io::Result<Running> {
        let options =
            ["--trust-model", "always", "--armor", "--digest-algo", "SHA512", "--local-user", &self.key, how];
        self.gpg.start(&options)
    }
}

impl Signer for KeySigner {
    type Detached = Running;

    fn begin(&self) -> io::Result<Running> {
        self.start("--detach-sign")
    }

    fn finish(&self, detached: Running) -> io::Result<Vec<u8>> {
        let ended = detached.end()?;
        if ended.status.success() && ended.out.starts_with(b"-----BEGIN PGP") {
            Ok(ended.out)
        } else {
            Err(io::Error::other(format!("gpg could not sign: {}", ended.words())))
        }
    }

    fn clear(&self, text: &str) -> io::Result<Vec<u8>> {
        let mut running = self.start("--clear-sign")?;
        drop(running.write_all(text.as_bytes()));
        self.finish(running)
    }
}

/// A gpg that reads what it is given.
pub struct Running {
    stdin: Option<PipeWriter>,
    /// What it prints, and what it says about that.
    out: File,
    said: File,
    handle: Arc<duct::Handle>,
    /// Tells that it moves; closed when it has ended.
    moves: Sender<()>,
    /// It was killed because it did nothing.
    idle: Arc<AtomicBool>,
}

/// How one ended.
struct Ended {
    status: ExitStatus,
    /// What it printed.
    out: Vec<u8>,
    /// What it said about that.
    said: String,
    idle: bool,
}

impl Ended {
    /// Why it failed.
    fn words(&self) -> String {
        match self.status.signal() {
            _ if self.idle => format!("it did nothing for {} s", LIMIT.as_secs()),
            Some(signal) => format!("it was killed by signal {signal}"),
            None => gpg::words_of(&self.said),
        }
    }
}

impl Running {
    fn new(stdin: PipeWriter, handle: duct::Handle, out: File, said: File) -> io::Result<Self> {
        let (handle, idle) = (Arc::new(handle), Arc::new(AtomicBool::new(false)));
        let (moves, told) = channel();
        let (watched, was_idle) = (Arc::clone(&handle), Arc::clone(&idle));
        let watch = thread::Builder::new().name("gpg".into()).spawn(move || {
            loop {
                match told.recv_timeout(LIMIT) {
                    Ok(()) => {}
                    Err(RecvTimeoutError::Timeout) => {
                        was_idle.store(true, Ordering::Relaxed);
                        return drop(watched.kill());
                    }
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        });
        if let Err(problem) = watch {
            drop(handle.kill());
            return Err(problem);
        }
        Ok(Self { stdin: Some(stdin), out, said, handle, moves, idle })
    }

    fn end(mut self) -> io::Result<Ended> {
        self.stdin = None;
        let status = self.handle.wait()?.status;
        let (mut out, mut said) = (Vec::new(), Vec::new());
        for (file, text) in [(&mut self.out, &mut out), (&mut self.said, &mut said)] {
            file.rewind()?;
            file.read_to_end(text)?;
        }
        Ok(Ended {
            status,
            out,
            said: String::from_utf8_lossy(&said).into_owned(),
            idle: self.idle.load(Ordering::Relaxed),
        })
    }
}

impl Write for Running {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        // Nobody listens once it was killed, which the next line tells.
        let _ = self.moves.send(());
        self.stdin.as_mut().map_or(Ok(0), |stdin| stdin.write(data))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_that_others_can_read_is_refused() {
        let home = tempfile::tempdir().unwrap();
        for (mode, refused) in [(0o700, false), (0o500, false), (0o750, true), (0o701, true)] {
            fs::set_permissions(home.path(), fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(check(home.path()).is_err(), refused, "{mode:o}");
        }
        let file = home.path().join("key");
        fs::write(&file, "no key").unwrap();
        assert!(matches!(Gpg::with_secrets(&file), Err(Error::Readable(_))));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o400)).unwrap();
        assert!(matches!(Gpg::with_secrets(&file), Err(Error::Failed { what: "read the exported key", .. })));
        let missing = Gpg::with_secrets(&home.path().join("missing")).unwrap_err().to_string();
        assert!(missing.ends_with("cannot be used: No such file or directory (os error 2)"), "{missing}");
    }

    #[test]
    fn an_exported_key_is_as_good_as_its_home() {
        let dir = tempfile::tempdir().unwrap();
        let (home, file) = (dir.path().join("home"), dir.path().join("secret"));
        generate_apart(&home, "tests", "never").unwrap();
        let original = Gpg::with_secrets(&home).unwrap();
        fs::write(&file, original.run("export", &["--armor", "--export-secret-keys"], b"").unwrap()).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o400)).unwrap();
        let exported = Gpg::with_secrets(&file).unwrap();
        let fingerprint = |gpg: &Gpg| gpg.secret_keys().unwrap().remove(0).fingerprint;
        let key = fingerprint(&exported);
        assert_eq!(key, fingerprint(&original));
        let signed = exported.run("sign", &["--local-user", &key, "--clearsign"], b"text").unwrap();
        assert!(signed.starts_with(b"-----BEGIN PGP SIGNED MESSAGE-----"));
    }
}
