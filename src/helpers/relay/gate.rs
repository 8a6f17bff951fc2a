//! Where a helper of distcc is found on loopback: what comes there is handed on, as far as it may be.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::Sender;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::farm::{hand_over, next};
use super::proof::Proved;
use crate::distcc::wire;
use crate::helpers::jobs::{Counter, Job};
use crate::helpers::probe;

/// How long a file waits for a proof and for a slot. A client that is sent away compiles by itself.
const TURN: Duration = Duration::from_secs(5);

/// What is behind a gate.
#[derive(Clone)]
pub(super) struct Behind {
    pub(super) address: SocketAddr,
    pub(super) slots: u32,
    pub(super) jobs: Counter,
    pub(super) proofs: watch::Receiver<Option<Arc<Proved>>>,
    /// Who is told what it is not given, if anybody still listens.
    pub(super) refuse: Sender<String>,
}

/// Hands files on until it is dropped: to compilers that are proved, and where it is no matter on which machine they are compiled.
pub(super) async fn hand_on(listener: TcpListener, to: Behind) {
    let mut running = JoinSet::new();
    loop {
        let client = next(&listener, &mut running).await;
        let to = to.clone();
        running.spawn(async move {
            // A client that is sent away compiles by itself.
            drop(to.file(client).await);
        });
    }
}

impl Behind {
    async fn file(mut self, mut client: TcpStream) -> io::Result<()> {
        let mut head = Vec::new();
        let compiler = loop {
            if let Some(asked) = wire::request(&head).map_err(io::Error::other)? {
                break asked.compiler().filter(|_| asked.stays_for().is_none()).map(str::to_owned);
            }
            if client.read_buf(&mut head).await? == 0 {
                return Ok(());
            }
        };
        let Some(compiler) = compiler else { return Ok(()) };
        let Ok(Some(job)) = timeout(TURN, self.turn(&compiler)).await else { return Ok(()) };
        let mut helper = probe::connect(self.address).await?;
        helper.write_all(&head).await?;
        hand_over(job, &mut client, &mut helper).await;
        Ok(())
    }

    /// The next, when there is a slot for it; nothing when it is not given what that compiler compiles.
    async fn turn(&mut self, compiler: &str) -> Option<Job> {
        if !self.is_proved(compiler).await {
            return None;
        }
        let job = self.jobs.turn(self.slots).await;
        // Compilers may have changed since.
        self.is_proved(compiler).await.then_some(job)
    }

    /// Whether it has the same, as soon as that is known.
    async fn is_proved(&mut self, compiler: &str) -> bool {
        let proved = self.proofs.wait_for(Option::is_some).await.ok().and_then(|proved| proved.clone());
        let Some(proved) = proved else { return false };
        let same = proved.same.contains(compiler);
        if !same {
            let why = proved.others.get(compiler).cloned();
            let why =
                why.unwrap_or_else(|| format!("a build uses {compiler}, of which nothing is known here"));
            // One that waits to be told is enough.
            drop(self.refuse.try_send(why));
        }
        same
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;
    use tokio::time::Instant;

    use super::super::proof::tests::{answer, daemon, wait_for};
    use super::*;
    use crate::distcc::probe as unit;

    fn sent(arguments: &[&str]) -> Vec<u8> {
        wire::ask(arguments, unit::source("gcc"))
    }

    fn proved() -> Arc<Proved> {
        let others = [("g++".to_owned(), "its g++ fails".to_owned())].into();
        Arc::new(Proved { same: ["gcc".to_owned()].into(), others })
    }

    /// One before this, and its address.
    async fn gate(
        address: SocketAddr,
        proofs: &watch::Sender<Option<Arc<Proved>>>,
    ) -> (SocketAddr, Counter, mpsc::Receiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = listener.local_addr().unwrap();
        let ((refuse, refused), jobs) = (mpsc::channel(1), Counter::default());
        let proofs = proofs.subscribe();
        let behind = Behind { address, slots: 1, jobs: jobs.clone(), proofs, refuse };
        tokio::spawn(hand_on(listener, behind));
        (here, jobs, refused)
    }

    #[test]
    fn only_what_was_proved_is_handed_on() {
        wait_for(async {
            let proofs = watch::Sender::new(None);
            let (here, _, mut refused) = gate(daemon(vec![answer(0, b"made")]), &proofs).await;
            let mut waits = TcpStream::connect(here).await.unwrap();
            waits.write_all(&sent(&["gcc", "-c", "a.c"])).await.unwrap();
            proofs.send_replace(Some(proved()));
            let mut came = Vec::new();
            waits.read_to_end(&mut came).await.unwrap();
            assert_eq!(came, answer(0, b"made"));
            for (arguments, why) in [
                (&["gcc", "-mcpu=native"][..], None),
                (&["gcc", "-gsplit-dwarf"], None),
                (&["/bin/gcc"], None),
                (&["gcc\nall is well"], None),
                (&["g++"], Some("its g++ fails")),
                (&["clang"], Some("a build uses clang, of which nothing is known here")),
            ] {
                let mut client = TcpStream::connect(here).await.unwrap();
                // It may be sent away before it has said all.
                drop(client.write_all(&sent(arguments)).await);
                assert!(client.read_u8().await.is_err(), "{arguments:?}");
                assert_eq!(refused.try_recv().ok().as_deref(), why, "{arguments:?}");
            }
            // However many are refused, one of them waits to be told.
            for _ in 0..2 {
                let mut client = TcpStream::connect(here).await.unwrap();
                drop(client.write_all(&sent(&["g++"])).await);
                assert!(client.read_u8().await.is_err());
            }
            assert!(refused.try_recv().is_ok() && refused.try_recv().is_err());
        });
    }

    #[test]
    fn nothing_waits_for_long_for_a_proof_or_a_slot() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        runtime.unwrap().block_on(async {
            // It takes what comes, and says nothing.
            let helper = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let proofs = watch::Sender::new(None);
            let (here, jobs, _) = gate(helper.local_addr().unwrap(), &proofs).await;
            let is_sent_away_after = async || {
                let begun = Instant::now();
                let mut client = TcpStream::connect(here).await.unwrap();
                client.write_all(&sent(&["gcc"])).await.unwrap();
                assert!(client.read_u8().await.is_err());
                begun.elapsed()
            };
            assert_eq!(is_sent_away_after().await, TURN);
            proofs.send_replace(Some(proved()));
            let mut first = TcpStream::connect(here).await.unwrap();
            first.write_all(&sent(&["gcc"])).await.unwrap();
            jobs.is_at_work().await;
            assert_eq!(is_sent_away_after().await, TURN);
        });
    }
}
