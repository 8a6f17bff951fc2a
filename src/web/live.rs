//! Events as they happen, for as long as somebody listens: server-sent events (the HTML standard, section 9.2).
//!
//! Each listener is sent the newest there is when it has taken what came before: one that is slow misses what is between
//! and is nobody's burden.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::header;
use hyper::{Response, StatusCode};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::sync::watch;
use tokio::time::sleep;

use super::body::Answer;
use super::reply::{set, text};

/// After so much silence a listener is sent a sign of life, and words that changed because time passed.
pub(super) const BEAT: Duration = Duration::from_secs(15);

/// Makes events of some news for one listener.
pub(super) trait Events<News>: Send + 'static {
    /// What is new for it; nothing when nothing is.
    fn next(&mut self, newest: &Arc<News>) -> Option<Bytes>;

    /// How long it may be silent before it is asked again, and sends a sign of life if there is still nothing.
    fn beat(&self) -> Duration {
        BEAT
    }
}

/// An event of this type with these lines of data, as it is sent.
pub(super) fn event(kind: &str, data: &str) -> Bytes {
    let mut event = format!("event: {kind}\n");
    for line in data.lines() {
        event += &format!("data: {line}\n");
    }
    Bytes::from(event + "\n")
}

/// Answers with events until the client has gone.
pub(super) fn follow<News: Send + Sync + 'static>(
    newest: watch::Receiver<Arc<News>>,
    events: impl Events<News>,
) -> Response<Answer> {
    // One on its way, and no more until that is taken.
    let (out, taken) = mpsc::channel(1);
    tokio::spawn(feed(newest, events, out));
    stream(taken)
}

/// Answers with what comes.
pub(super) fn stream(taken: Receiver<Bytes>) -> Response<Answer> {
    let mut response = Response::new(Answer::Live(taken));
    set(&mut response, header::CONTENT_TYPE, "text/event-stream");
    set(&mut response, header::CACHE_CONTROL, "no-store");
    set(&mut response, header::CONNECTION, "close");
    set(&mut response, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    // A proxy that keeps back what comes would keep back all of it.
    set(&mut response, header::HeaderName::from_static("x-accel-buffering"), "no");
    response
}

/// When all places for open pages are taken.
pub(super) fn full() -> Response<Answer> {
    let mut response =
        text(StatusCode::SERVICE_UNAVAILABLE, "As many pages are open as may be (http.max_pages).");
    set(&mut response, header::RETRY_AFTER, "60");
    response
}

async fn feed<News>(
    mut newest: watch::Receiver<Arc<News>>,
    mut events: impl Events<News>,
    out: Sender<Bytes>,
) {
    let mut silent = false;
    loop {
        let Ok(room) = out.reserve().await else { return };
        let news = Arc::clone(&newest.borrow_and_update());
        match events.next(&news) {
            Some(event) => room.send(event),
            None if silent => room.send(Bytes::from_static(b":\n\n")),
            None => drop(room),
        }
        silent = false;
        tokio::select! {
            changed = newest.changed() => if changed.is_err() { return },
            () = out.closed() => return,
            () = sleep(events.beat()) => silent = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::known::{Known, News};
    use super::*;

    struct Numbers;

    impl Events<Known> for Numbers {
        fn next(&mut self, known: &Arc<Known>) -> Option<Bytes> {
            Some(event("number", &known.number.to_string()))
        }
    }

    #[tokio::test]
    async fn who_is_slow_is_sent_the_newest() {
        let (newest, news) = News::told();
        let Answer::Live(mut events) = follow(news.watch(), Numbers).into_body() else {
            panic!("it is no stream")
        };
        assert_eq!(events.recv().await.unwrap(), "event: number\ndata: 0\n\n");
        for number in 1..=100 {
            newest.send_replace(Arc::new(Known { number, ..Known::default() }));
            tokio::task::yield_now().await;
        }
        // One was on its way; the next is the last.
        let mut came = vec![events.recv().await.unwrap()];
        while came.last().is_none_or(|last| last != "event: number\ndata: 100\n\n") {
            came.push(events.recv().await.unwrap());
        }
        assert!(came.len() <= 3, "{came:?}");
        // Whoever feeds a listener ends with it.
        drop((events, news));
        newest.closed().await;
    }

    #[test]
    fn lines_of_data_are_marked_each() {
        assert_eq!(event("status", "{\n}"), "event: status\ndata: {\ndata: }\n\n");
    }
}
