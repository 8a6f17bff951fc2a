//! Takes connections, so many at a time, and closes those that waste them.

use std::convert::Infallible;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioTimer;
use tokio::net::{TcpListener, TcpStream};
use tracing::{debug, warn};

use super::answer::answer;
use super::body::Outgoing;
use super::crowd::{Crowd, Place};
use super::routes::{self, View};
use super::stream::Stream;
use super::upload;
use super::views::Site;

/// Bytes that the head of a request may have. Portage's have some 200.
const HEAD: usize = 16 << 10;
/// How many lines it may have.
const HEADERS: usize = 64;
/// How long to wait when no connection can be taken, for want of descriptors or of memory.
const BREATH: Duration = Duration::from_millis(200);

/// What a browser asks for.
const BROWSER: &[u8] = b"text/html";
/// What it is told when even the line of those that wait is full.
const CROWDED: &str = "Too many wait for an answer here already. Try again in some seconds.\n";

/// What it holds clients to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Connections at the same time, of which one address has at most seven in eight; for a further one, an idle or a slow one is closed,
    /// or it waits.
    pub(super) connections: u16,
    /// Open pages, beside them.
    pub(super) pages: u16,
    /// How long a client may take for a request, and be silent between two of them.
    pub(super) request: Duration,
    /// How long it may take nothing of what it is sent.
    pub(super) stall: Duration,
}

/// Answers until the directory of the releases is no more.
pub(super) async fn serve(listener: TcpListener, site: Site, limits: Limits) {
    let site = Arc::new(site);
    let crowd = Crowd::new(limits.connections, limits.pages);
    loop {
        match listener.accept().await {
            Ok(_) if site.tree.is_gone() => return,
            Ok((socket, from)) => {
                let site = Arc::clone(&site);
                if let Some(place) = crowd.try_enter(from.ip(), Instant::now()) {
                    begin(&crowd, place, |place| connection(socket, from, site, limits, place));
                } else if let Some(turn) = crowd.line_up(from.ip()) {
                    let crowd = Arc::clone(&crowd);
                    tokio::spawn(async move {
                        let place = turn.comes().await;
                        begin(&crowd, place, |place| connection(socket, from, site, limits, place));
                    });
                } else {
                    debug!("{from}: too many wait for a place already");
                    let _gone = turn_away(socket);
                }
            }
            Err(error) if is_its_own(&error) => {}
            Err(error) => {
                warn!("no connection can be taken: {error}");
                tokio::time::sleep(BREATH).await;
            }
        }
    }
}

/// Serves somebody who has a place, which is taken from it when it is somebody else's turn.
fn begin<F>(crowd: &Crowd, place: Place, serve: impl FnOnce(Place) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let number = place.number();
    crowd.is_held_by(number, tokio::spawn(serve(place)).abort_handle());
}

/// Whether only that connection is concerned, which its client gave up before it was taken.
fn is_its_own(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    [ConnectionAborted, ConnectionReset, Interrupted].contains(&error.kind())
}

/// Tells a browser why there is nothing for it. A program that downloads gets nothing: many try again when a connection breaks, and
/// give up when they are told this.
fn turn_away(socket: TcpStream) -> io::Result<()> {
    let mut socket = socket.into_std()?;
    // Not more than is there. What would be left unread makes the end a harsh one, which loses what was written.
    let mut head = vec![0; HEAD];
    let length = socket.read(&mut head)?;
    if head[..length].windows(BROWSER.len()).any(|part| part == BROWSER) {
        let length = CROWDED.len();
        write!(
            socket,
            "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {length}\r\n\
            Retry-After: 5\r\nConnection: close\r\n\r\n{CROWDED}"
        )?;
    }
    Ok(())
}

async fn connection(socket: TcpStream, from: SocketAddr, site: Arc<Site>, limits: Limits, place: Place) {
    // Answers are written whole; there is nothing to wait for.
    let _slower = socket.set_nodelay(true);
    let outgoing = Outgoing::default();
    let stream = Stream::new(socket, outgoing.clone(), limits.stall, Arc::clone(&place.meter));
    let place = Arc::new(place);
    let service = service_fn(move |request| {
        let (site, place, outgoing) = (Arc::clone(&site), Arc::clone(&place), outgoing.clone());
        async move {
            // Only of git anything is taken but the head of a request.
            if let Some(repository) = upload::asked_of(&request) {
                place.sends(false);
                return Ok::<_, Infallible>(upload::answer(site, &repository, request, limits.request).await);
            }
            if routes::find(request.uri().path()).is_some_and(View::is_of_several) {
                place.sends(false);
                site.farm.is_fresh().await;
            }
            Ok(answer(&site, &place, &request, &outgoing))
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.request)
        .max_buf_size(HEAD)
        .max_headers(HEADERS)
        .writev(true)
        .half_close(false)
        .serve_connection(stream, service)
        .await;
    if let Err(error) = served {
        debug!("{from}: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What somebody gets who has sent this when there is no room.
    async fn told(request: &str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        client.write_all(request.as_bytes()).unwrap();
        let (socket, _) = listener.accept().await.unwrap();
        socket.readable().await.unwrap();
        turn_away(socket).unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        answer
    }

    #[tokio::test]
    async fn a_browser_is_told_that_there_is_no_room() {
        let browser = "GET / HTTP/1.1\r\nHost: builder\r\nAccept: text/html,*/*;q=0.8\r\n\r\n";
        let answer = told(browser).await;
        assert!(
            answer.starts_with("HTTP/1.1 503 ") && answer.ends_with(&format!("\r\n\r\n{CROWDED}")),
            "{answer}"
        );
        assert_eq!(told("GET /binpkgs/Packages HTTP/1.1\r\nHost: builder\r\nAccept: */*\r\n\r\n").await, "");
    }
}
