//! The control socket: one JSON line up, one JSON line down, or a stream of them to a watcher.
//!
//! Only root may connect (mode 0600 and the peer's uid). A client that is slow, mute or talkative
//! costs a small task and a deadline, and never reaches the loop.

use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{sleep, timeout};

use crate::model::request::{Reply, Request};

/// Where clients find the supervisor, and PID 1 in its place when it is degraded.
pub(crate) const SOCKET: &str = "/run/gbsup/control.sock";
/// Names another socket, for tests and for a second builder outside a container.
pub(crate) const SOCKET_VARIABLE: &str = "GBSUP_SOCKET";

/// The longest request.
const LONGEST: u64 = 1 << 20;
/// How long a client may take to ask, and to take a piece of its answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of such a piece.
const PIECE: usize = 1 << 16;
/// How long to leave the listener alone when the process has no descriptor left.
const EXHAUSTED: Duration = Duration::from_millis(500);
/// How often a watcher is shown the time that has passed although nothing else has changed.
const REFRESH: Duration = Duration::from_secs(1);

/// A request on its way to the loop, and the way back.
pub(crate) struct Asked {
    /// What is asked.
    pub request: Request,
    /// Takes the one reply.
    pub reply: oneshot::Sender<Reply>,
}

/// The path of the socket in this process.
pub(crate) fn path() -> PathBuf {
    std::env::var_os(SOCKET_VARIABLE).map_or_else(|| PathBuf::from(SOCKET), PathBuf::from)
}

/// Binds the socket. What an earlier process left there is replaced, if it is a socket.
pub(crate) fn bind(path: &Path) -> io::Result<UnixListener> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => fs::remove_file(path)?,
        Ok(_) => {
            let problem = format!("{} is in the way and is not a socket; remove it", path.display());
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, problem));
        }
        Err(_) => {}
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Serves clients for ever. `changed` ticks whenever the status has changed.
pub(crate) async fn serve(
    listener: UnixListener,
    asked: mpsc::UnboundedSender<Asked>,
    changed: watch::Receiver<()>,
) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(client(stream, asked.clone(), changed.clone()));
            }
            Err(_) => sleep(EXHAUSTED).await,
        }
    }
}

async fn client(stream: UnixStream, asked: mpsc::UnboundedSender<Asked>, changed: watch::Receiver<()>) {
    // The mode of the socket keeps others out; the uid is the second lock.
    let own = nix::unistd::geteuid().as_raw();
    if !stream.peer_cred().is_ok_and(|peer| peer.uid() == 0 || peer.uid() == own) {
        return;
    }
    let (reading, mut writing) = stream.into_split();
    let mut reading = BufReader::new(reading.take(LONGEST));
    let mut line = String::new();
    let Ok(Ok(_)) = timeout(PATIENCE, reading.read_line(&mut line)).await else {
        return;
    };
    let request = match serde_json::from_str::<Request>(&line) {
        Ok(request) => request,
        Err(error) => {
            let own = env!("CARGO_PKG_VERSION");
            let message = format!("not a request that the supervisor (gbsup {own}) knows: {error}");
            send(&mut writing, &Reply::Invalid { message }).await;
            return;
        }
    };
    if request == Request::Watch {
        watch_status(reading, writing, &asked, changed).await;
    } else if let Some(reply) = ask(&asked, request).await {
        send(&mut writing, &reply).await;
    }
}

/// Asks the loop. Nothing when the supervisor is leaving.
async fn ask(asked: &mpsc::UnboundedSender<Asked>, request: Request) -> Option<Reply> {
    let (reply, answer) = oneshot::channel();
    asked.send(Asked { request, reply }).ok()?;
    answer.await.ok()
}

/// Sends a reply, however long; false when the client is gone or takes nothing of it for a while.
async fn send(writing: &mut OwnedWriteHalf, reply: &Reply) -> bool {
    let Ok(mut line) = serde_json::to_vec(reply) else { return false };
    line.push(b'\n');
    for piece in line.chunks(PIECE) {
        if !matches!(timeout(PATIENCE, writing.write_all(piece)).await, Ok(Ok(()))) {
            return false;
        }
    }
    true
}

/// The status now, after every change, and once a second for the sake of elapsed times, until the
/// client hangs up or stops taking it.
async fn watch_status(
    mut reading: BufReader<tokio::io::Take<OwnedReadHalf>>,
    mut writing: OwnedWriteHalf,
    asked: &mpsc::UnboundedSender<Asked>,
    mut changed: watch::Receiver<()>,
) {
    let mut ignored = [0; 64];
    loop {
        changed.mark_unchanged();
        let Some(reply) = ask(asked, Request::Status).await else { return };
        if !send(&mut writing, &reply).await {
            return;
        }
        tokio::select! {
            change = changed.changed() => if change.is_err() { return },
            () = sleep(REFRESH) => {}
            read = reading.read(&mut ignored) => if !matches!(read, Ok(1..)) { return },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_socket_is_replaced_and_anything_else_is_not() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _guard = runtime.enter();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run/control.sock");
        drop(bind(&path).unwrap());
        assert!(path.exists(), "left over");
        let listener = bind(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        drop(listener);
        fs::remove_file(&path).unwrap();
        fs::write(&path, "precious").unwrap();
        assert!(bind(&path).unwrap_err().to_string().contains("not a socket"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    }

    #[test]
    fn nonsense_is_answered_and_too_much_is_cut() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            for (text, expected) in [
                (b"hello\n".to_vec(), "not a request"),
                (b"{\"request\":\"dance\"}\n".to_vec(), "unknown variant `dance`"),
                // As a newer client may ask; what it means by that would be done by halves.
                (b"{\"request\":\"resume\",\"gently\":true}\n".to_vec(), "unknown field `gently`"),
                (b"\xff\xfe\n".to_vec(), ""),
                // Cut off in the middle of its question, this client may miss the answer.
                (vec![b' '; 2 << 20], ""),
            ] {
                let (ours, theirs) = UnixStream::pair().unwrap();
                let (asked, _loop) = mpsc::unbounded_channel();
                let (_changed, watching) = watch::channel(());
                let task = tokio::spawn(client(theirs, asked, watching));
                let (mut reading, mut writing) = ours.into_split();
                let feeding = tokio::spawn(async move {
                    drop(writing.write_all(&text).await);
                    writing
                });
                let mut answer = String::new();
                drop(timeout(PATIENCE, reading.read_to_string(&mut answer)).await);
                assert!(answer.contains(expected), "{answer:?} lacks {expected:?}");
                task.await.unwrap();
                drop(feeding.await);
            }
        });
    }
}
