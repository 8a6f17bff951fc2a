//! One builder, asked once.

use std::io::{self, Read};
use std::net::SocketAddr;
use std::time::Duration;

use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Error as Trouble};

use crate::config::Peer;
use crate::model::farm::{Brief, Farm, Member};
use crate::requests::{self, sentence};

/// How long the server of this builder may take: it asks the others first, and waits for them.
const OWN_PATIENCE: Duration = Duration::from_secs(3);
/// Bytes of an answer. A status of a builder in which thousands of packages fail has less.
const LONGEST: u64 = 1 << 20;
/// Bytes of its head.
const LONGEST_HEAD: usize = 16 << 10;

/// How the builder at this address of a peer is.
///
/// # Errors
/// Why that is not known, in one sentence.
pub(super) fn ask(peer: &Peer, address: SocketAddr, patience: Duration) -> Result<Brief, String> {
    let at = address.ip().to_string();
    let host = if at == peer.host() { at } else { format!("{} ({at})", peer.host()) };
    Brief::read(&get(&format!("{}/api/v1/status", peer.url()), &host, address, patience)?)
}

/// Those that are away, as the server of this builder has known it longer; none where it tells nothing.
pub(super) fn known_away(server: SocketAddr) -> Vec<Member> {
    let told = get(&format!("http://{server}/api/v1/farm"), "this builder", server, OWN_PATIENCE);
    told.map(|json| Farm::read_away(&json)).unwrap_or_default()
}

/// What is at this URL of a host, asked at this address.
fn get(url: &str, host: &str, address: SocketAddr, patience: Duration) -> Result<Vec<u8>, String> {
    let config = requests::config(patience)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .max_response_header_size(LONGEST_HEAD)
        .accept("application/json")
        // It is in this house; and who it is was looked up here.
        .proxy(None)
        .build();
    let agent = Agent::with_parts(config, DefaultConnector::default(), At(address));
    let failed = |trouble: Trouble| sentence(&trouble, host);
    let answer = agent.get(url).call().map_err(failed)?;
    match answer.status().as_u16() {
        200 => {}
        404 => return Err("what answers there knows of no builder".to_owned()),
        300..400 => return Err(failed(Trouble::RedirectFailed)),
        status => return Err(failed(Trouble::StatusCode(status))),
    }
    let mut body = Vec::new();
    let read = answer.into_body().into_reader().take(LONGEST + 1).read_to_end(&mut body);
    read.map_err(|error| failed(of_body(error)))?;
    if body.len() as u64 > LONGEST {
        return Err(format!("what answers there is no builder: it sends more than {} KiB", LONGEST >> 10));
    }
    Ok(body)
}

/// What the library says of the body is in an error of reading.
fn of_body(error: io::Error) -> Trouble {
    match error.kind() {
        io::ErrorKind::Other => match error.downcast::<Trouble>() {
            Ok(trouble) => trouble,
            Err(error) => Trouble::Io(error),
        },
        _ => Trouble::Io(error),
    }
}

/// The address is known: a name that stands for several builders leads to each of them in its turn.
#[derive(Debug)]
struct At(SocketAddr);

impl Resolver for At {
    fn resolve(
        &self,
        _: &Uri,
        _: &ureq::config::Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Trouble> {
        let mut addresses = self.empty();
        addresses.push(self.0);
        Ok(addresses)
    }
}
