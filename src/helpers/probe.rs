//! Whether a daemon still answers: by an exchange, since the kernel accepts connections and data for a process that is frozen.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::jobs::Counter;
use crate::icecream::wire::{HELLO, is_hello};

/// How long a connection, and an answer, may take. A daemon answers between two jobs of the kernel's, however much it compiles.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long after an answer it is asked again, while it has work.
const EVERY: Duration = Duration::from_secs(8);
/// So many times without an answer, and it is taken out: half a minute in all.
const CHANCES: u32 = 2;

/// Connects within [`PATIENCE`].
pub(super) async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    timeout(PATIENCE, TcpStream::connect(address)).await.unwrap_or_else(|_| Err(late()))
}

/// Asks once.
///
/// # Errors
/// Why there was no answer.
pub(super) async fn ask(address: SocketAddr) -> Result<(), String> {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(&HELLO).await?;
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).await?;
        if is_hello(answer) { Ok(()) } else { Err(io::Error::other("it does not speak icecream")) }
    };
    in_time(address, exchange).await
}

/// An exchange with a daemon, within [`PATIENCE`].
///
/// # Errors
/// Why nothing came of it.
pub(super) async fn in_time<T>(
    address: SocketAddr,
    exchange: impl Future<Output = io::Result<T>>,
) -> Result<T, String> {
    match timeout(PATIENCE, exchange).await {
        Ok(Ok(came)) => Ok(came),
        Ok(Err(problem)) => Err(format!("{address} cannot be used: {problem}")),
        Err(_) => Err(format!("{address} gave no answer within {} s", PATIENCE.as_secs())),
    }
}

/// Asks again and again while it has files, and returns when there was no answer.
pub(super) async fn until_silent<Asked: Future<Output = Result<(), String>>>(
    ask: impl Fn() -> Asked,
    jobs: &Counter,
) -> String {
    let mut missed = 0;
    loop {
        jobs.is_at_work().await;
        match ask().await {
            Ok(()) => {
                missed = 0;
                sleep(EVERY).await;
            }
            Err(why) => {
                missed += 1;
                if missed >= CHANCES {
                    return why;
                }
            }
        }
    }
}

fn late() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "no connection within 10 s")
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    fn wait_for<T>(what: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(what)
    }

    /// Who answers the first that comes with this.
    fn answering(answer: &'static [u8]) -> (SocketAddr, thread::JoinHandle<[u8; 4]>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let served = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = [0; 4];
            stream.read_exact(&mut asked).unwrap();
            stream.write_all(answer).unwrap();
            asked
        });
        (address, served)
    }

    #[test]
    fn what_speaks_icecream_is_told_from_what_only_listens() {
        for (answer, words) in [
            (&HELLO[..], None),
            (b"HTTP/1.0 400", Some("it does not speak icecream")),
            (b"", Some("early eof")),
        ] {
            let (address, served) = answering(answer);
            let said = wait_for(ask(address));
            assert_eq!(served.join().unwrap(), HELLO);
            assert!(
                words.map_or(said.is_ok(), |words| said.as_ref().is_err_and(|why| why.contains(words))),
                "{said:?}"
            );
        }
    }

    #[test]
    fn what_is_gone_has_no_more_than_its_chances() {
        let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let jobs = Counter::default();
        let why = wait_for(async {
            let idle = timeout(Duration::from_millis(50), until_silent(|| ask(gone), &jobs)).await;
            assert!(idle.is_err(), "what has no work is not asked");
            let _job = jobs.begin();
            until_silent(|| ask(gone), &jobs).await
        });
        assert!(why.contains("Connection refused"), "{why}");
    }
}
