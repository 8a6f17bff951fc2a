//! Whether a helper's compilers are those that are here: it compiles a unit, and what comes back is compared.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::farm::PATIENCE;
use crate::distcc::{probe as unit, wire};
use crate::helpers::probe;
use crate::model::helpers::Probe;

/// Whoever takes longer for each of its units is slow: none is a tenth of a second's work.
const SLOW: Duration = Duration::from_secs(2);
/// How long all of them may take together.
const ALL: Duration = Duration::from_secs(30);

/// What compilers there are the same as here.
pub(super) struct Proved {
    pub(super) same: BTreeSet<String>,
    /// Why others are not.
    pub(super) others: BTreeMap<String, String>,
}

/// Why one is given nothing.
#[derive(Debug)]
pub(super) struct Unfit {
    pub(super) why: String,
    /// Whether it may be over soon. Another compiler is another one until somebody changes it, and the next cycle sees that.
    pub(super) passes: bool,
}

impl Unfit {
    fn for_now(why: String) -> Self {
        Self { why, passes: true }
    }

    fn slow() -> Self {
        Self::for_now(format!("it is slow: what takes a moment takes it {} s and more", SLOW.as_secs()))
    }
}

/// Compares its compilers with those here; why it is given nothing when one that is needed is another.
///
/// # Errors
/// When it does not answer.
pub(super) async fn prove(address: SocketAddr, probes: &[Probe]) -> Result<Result<Proved, Unfit>, String> {
    in_time(compare_all(address, probes)).await
}

/// What comes of it within [`ALL`].
async fn in_time<T>(
    compared: impl Future<Output = Result<Result<T, Unfit>, String>>,
) -> Result<Result<T, Unfit>, String> {
    timeout(ALL, compared).await.unwrap_or_else(|_| Ok(Err(Unfit::slow())))
}

async fn compare_all(address: SocketAddr, probes: &[Probe]) -> Result<Result<Proved, Unfit>, String> {
    let mut proved = Proved { same: BTreeSet::new(), others: BTreeMap::new() };
    let mut fastest = PATIENCE;
    for probe in probes {
        let begun = Instant::now();
        match compare(address, probe).await? {
            None => {
                fastest = fastest.min(begun.elapsed());
                proved.same.insert(probe.compiler.clone());
            }
            Some(unfit) if probe.needed => return Ok(Err(unfit)),
            Some(unfit) => drop(proved.others.insert(probe.compiler.clone(), unfit.why)),
        }
    }
    Ok(if fastest > SLOW { Err(Unfit::slow()) } else { Ok(proved) })
}

/// Whether it is still there, and its compiler with it.
pub(super) async fn answers(address: SocketAddr, probe: &Probe) -> Result<(), String> {
    compare(address, probe).await.and_then(|other| other.map_or(Ok(()), |unfit| Err(unfit.why)))
}

/// Has it compile something; why what comes back shows another compiler.
///
/// # Errors
/// When nothing comes back.
async fn compare(address: SocketAddr, probe: &Probe) -> Result<Option<Unfit>, String> {
    let compiler = &probe.compiler;
    let asked =
        wire::ask(&unit::arguments(compiler, unit::file(compiler), "gbsup.o"), unit::source(compiler));
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(&asked).await?;
        let mut came = Vec::new();
        loop {
            if let Some(answer) = wire::answer(&came).map_err(io::Error::other)? {
                let made = answer.status == 0;
                return Ok(if made {
                    let why = unit::differs(compiler, &probe.object, answer.object);
                    why.map(|why| Unfit { why, passes: false })
                } else {
                    Some(Unfit::for_now(format!("its {compiler} fails")))
                });
            }
            // Of what goes wrong before a compiler is started a daemon says nothing.
            if stream.read_buf(&mut came).await? == 0 {
                let why = format!("it answers nothing when it is to use {compiler}: it has none, or no room");
                return Ok(Some(Unfit::for_now(why)));
            }
        }
    };
    probe::in_time(address, exchange).await
}

#[cfg(test)]
pub(super) mod tests {
    use std::future::pending;
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    pub(in super::super) fn wait_for<T>(what: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(what)
    }

    pub(in super::super) fn object(version: &str) -> Vec<u8> {
        format!("\u{7f}ELF GCC: (Gentoo {version})\0").into_bytes()
    }

    pub(in super::super) fn probe(compiler: &str, needed: bool) -> Probe {
        Probe { compiler: compiler.into(), needed, object: object("14") }
    }

    pub(in super::super) fn answer(status: u32, object: &[u8]) -> Vec<u8> {
        let head = format!("DONE00000001STAT{status:08x}SERR00000000SOUT00000000DOTO{:08x}", object.len());
        [head.as_bytes(), object].concat()
    }

    /// A daemon that answers one after the other so.
    pub(in super::super) fn daemon(answers: Vec<Vec<u8>>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let (mut asked, mut bytes) = (Vec::new(), [0; 4096]);
                // All of it, so that closing it resets nothing.
                while !asked.ends_with(b"}\n") {
                    let length = stream.read(&mut bytes).unwrap();
                    asked.extend(&bytes[..length]);
                }
                stream.write_all(&answer).unwrap();
            }
        });
        address
    }

    #[test]
    fn only_the_same_compiler_is_let_in() {
        let same = || answer(0, &object("14"));
        let probes = [probe("gcc", true), probe("g++", true), probe("clang", false), probe("cc", false)];
        let address = daemon(vec![same(), same(), Vec::new(), same()]);
        let proved = wait_for(prove(address, &probes)).unwrap().unwrap();
        assert_eq!(proved.same, ["cc", "g++", "gcc"].map(str::to_owned).into());
        assert_eq!(
            proved.others["clang"],
            "it answers nothing when it is to use clang: it has none, or no room"
        );
        for (answers, words) in [
            (
                vec![answer(0, &object("15"))],
                "its gcc is gcc (Gentoo 15), and the one here is gcc (Gentoo 14)",
            ),
            (vec![answer(256, b"")], "its gcc fails"),
            (
                vec![same(), answer(0, &[&object("14")[..], b"x"].concat())],
                "its g++ makes another object than the one here",
            ),
            (vec![Vec::new()], "it answers nothing when it is to use gcc: it has none, or no room"),
        ] {
            let why = wait_for(prove(daemon(answers), &probes)).unwrap().err();
            let lasts = words.contains("one here");
            assert_eq!(why.map(|unfit| (unfit.why, !unfit.passes)), Some((words.to_owned(), lasts)));
        }
        let gone = wait_for(prove(daemon(vec![b"HTTP/1.1 400".to_vec()]), &probes)).err().unwrap();
        assert!(gone.contains("does not speak distcc"), "{gone}");
    }
    #[test]
    fn many_compilers_have_no_more_time_than_one() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.unwrap().block_on(async {
            let begun = Instant::now();
            let found = in_time(pending::<Result<Result<(), Unfit>, String>>()).await;
            let unfit = found.unwrap().unwrap_err();
            assert!(unfit.why.starts_with("it is slow") && unfit.passes, "{unfit:?}");
            assert_eq!(begun.elapsed(), ALL);
        });
    }
}
