//! A server with releases of its own, and what is said to it.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use gbsup::model::told::Told;
use tempfile::TempDir;

/// Nothing here takes so long unless it hangs.
/// How long nothing may come. Machines that run tests are busy.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Two releases, the second of which is offered.
pub(crate) const OLD: &str = "2026-11-21.1";
pub(crate) const NEW: &str = "2026-11-22.1";

pub(crate) struct Server {
    child: Child,
    /// By which the builder tells how it is.
    tells: Option<UnixStream>,
    pub(crate) address: String,
    volume: TempDir,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// As they came, the names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::with(&[], &[])
    }

    /// With these arguments and variables.
    pub(crate) fn with(args: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::begin(args, variables, Stdio::null(), None)
    }

    /// As its builder starts it, with these variables.
    pub(crate) fn of_builder(variables: &[(&str, &str)]) -> Self {
        let (tells, told) = UnixStream::pair().unwrap();
        tells.shutdown(Shutdown::Read).unwrap();
        Self::begin(&["--told"], variables, OwnedFd::from(told).into(), Some(tells))
    }

    /// The same of a builder that does not use its volume.
    pub(crate) fn bare() -> Self {
        let (tells, told) = UnixStream::pair().unwrap();
        tells.shutdown(Shutdown::Read).unwrap();
        Self::begin(&["--told", "--bare"], &[], OwnedFd::from(told).into(), Some(tells))
    }

    /// Tells it something, as the builder does.
    pub(crate) fn tell(&mut self, told: &Told) {
        let line = serde_json::to_string(told).unwrap() + "\n";
        self.tells.as_mut().unwrap().write_all(line.as_bytes()).unwrap();
    }

    /// Waits until it has taken in what was told.
    pub(crate) fn until(&self, headline: &str) {
        let begun = Instant::now();
        while !self.get("/api/v1/status").text().contains(headline) {
            assert!(begun.elapsed() < PATIENCE, "{headline} does not arrive");
            std::thread::yield_now();
        }
    }

    /// Tells it nothing any more, and waits for its end: its exit code.
    pub(crate) fn let_go(&mut self) -> Option<i32> {
        self.tells = None;
        self.child.wait().unwrap().code()
    }

    /// With these arguments alone.
    pub(crate) fn listening(args: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::at(args, variables, Stdio::null(), None)
    }

    fn begin(args: &[&str], variables: &[(&str, &str)], stdin: Stdio, tells: Option<UnixStream>) -> Self {
        Self::at(&[&["--listen", "127.0.0.1:0"], args].concat(), variables, stdin, tells)
    }

    fn at(args: &[&str], variables: &[(&str, &str)], stdin: Stdio, tells: Option<UnixStream>) -> Self {
        let volume = volume();
        let mut child = command(volume.path())
            .args(args)
            .envs(variables.iter().copied())
            .stdin(stdin)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let begins = |line: String| Some(line.split_once(" on http://")?.1.split_once('/')?.0.to_owned());
        let address = lines.by_ref().map_while(Result::ok).find_map(begins).expect("it begins to serve");
        // What it says later must not make it wait.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, tells, address, volume }
    }

    /// Has the release on offer offer an ebuild repository as well.
    pub(crate) fn with_tree(&self) {
        let write = |path: &str, text: &str| {
            let path = self.releases().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        for id in [OLD, NEW] {
            write(&format!("{id}/tree/own.git/info/refs"), &format!("commit of {id}"));
        }
        write("tree/own.git/objects/info/packs", "P pack-1.pack");
        write("tree/own.git/objects/pack/pack-1.pack", "PACK");
        write("tree/own.git/objects/pack/.new", "half of one");
    }

    /// Which commit there is comes from the release, and objects from what all releases share.
    #[track_caller]
    pub(crate) fn assert_tree_is_served(&self) {
        for (path, text) in [
            ("info/refs", format!("commit of {NEW}")),
            ("info/refs?service=git-upload-pack", format!("commit of {NEW}")),
            ("objects/info/packs", "P pack-1.pack".to_owned()),
            ("objects/pack/pack-1.pack", "PACK".to_owned()),
        ] {
            let answer = self.get(&format!("/tree/own.git/{path}"));
            assert_eq!((answer.status, answer.text()), (200, text), "{path}");
        }
        for path in ["objects/pack/.new", "objects/00/11", "objects", "objects/pack/", "", "../../gbsup.asc"]
        {
            let status = self.get(&format!("/tree/own.git/{path}")).status;
            assert!([400, 403, 404].contains(&status), "{path}: {status}");
        }
    }

    pub(crate) fn releases(&self) -> PathBuf {
        self.volume.path().join("releases")
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends these bytes and reads one answer; absent when the connection was closed without one.
    pub(crate) fn raw(&self, request: &[u8]) -> Option<Answer> {
        let mut stream = self.connect();
        // It may be closed before all was sent, which is an answer too.
        drop(stream.write_all(request));
        read(&mut BufReader::new(stream), false)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[])
    }

    pub(crate) fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut stream = self.connect();
        stream.write_all(request(method, path, headers).as_bytes()).unwrap();
        read(&mut BufReader::new(stream), method == "HEAD").expect("an answer")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

pub(crate) fn request(method: &str, path: &str, headers: &[(&str, &str)]) -> String {
    let mut request = format!("{method} {path} HTTP/1.1\r\nHost: x\r\n");
    for (name, value) in headers {
        request += &format!("{name}: {value}\r\n");
    }
    request + "\r\n"
}

/// Reads one answer; that to HEAD has no body, whatever its length is said to be.
pub(crate) fn read(stream: &mut impl BufRead, head: bool) -> Option<Answer> {
    let mut line = String::new();
    if stream.read_line(&mut line).unwrap_or(0) == 0 {
        return None;
    }
    let status = line.split(' ').nth(1).unwrap().parse().unwrap();
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let length =
        headers.iter().find(|(name, _)| name == "content-length").map(|(_, value)| value.parse().unwrap());
    let mut body = vec![0; if head || status == 304 { 0 } else { length.unwrap_or(0) }];
    stream.read_exact(&mut body).expect("the whole body");
    Some(Answer { status, headers, body })
}

/// `gbsup serve` with this volume.
pub(crate) fn command(volume: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gbsup"));
    command.args(["serve", "--volume"]).arg(volume).env("GBSUP_CONFIG", "/dev/null").stdin(Stdio::null());
    command
}

/// Bytes of which no two places look the same.
pub(crate) fn bytes(count: u32) -> Vec<u8> {
    (0..count / 4).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect()
}

fn volume() -> TempDir {
    let volume =
        tempfile::Builder::new().permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755)).tempdir();
    let volume = volume.unwrap();
    let at = |path: &str| volume.path().join(path);
    for (id, package) in [(OLD, "hello-1"), (NEW, "hello-2")] {
        let place = at(&format!("releases/{id}"));
        fs::create_dir_all(place.join("app-misc/hello")).unwrap();
        fs::write(place.join(format!("app-misc/hello/{package}-1.gpkg.tar")), bytes(3 << 20)).unwrap();
        fs::write(place.join("Packages"), format!("PACKAGES: 1\n\nCPV: app-misc/{package}\n")).unwrap();
        fs::write(place.join("Packages.gz"), format!("compressed {id}")).unwrap();
    }
    symlink(NEW, at("releases/current")).unwrap();
    fs::create_dir(at("state")).unwrap();
    fs::write(at("state/state.json"), "SECRET").unwrap();
    fs::create_dir_all(at("releases/.new-2026-11-22.2")).unwrap();
    fs::write(at("releases/.new-2026-11-22.2/Packages"), "SECRET").unwrap();
    volume
}
