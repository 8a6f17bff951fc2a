//! Events as they happen, for as long as somebody listens: server-sent events (the HTML standard, section 9.2).
//!
//! Each listener is sent the newest there is when it has taken what came before: one that is slow misses what is between
//! and is nobody's burden.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::header;
use hyper::{Response, StatusCode};
use tokio::sync::mpsc::Receiver;
use tokio::sync::watch;
use tokio::time::sleep;

use super::body::{Answer, Following};
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
    respond(Answer::Follow(next(Feed { newest, events, begun: false })))
}

/// What one listener is sent.
struct Feed<News, E> {
    newest: watch::Receiver<Arc<News>>,
    events: E,
    /// Something was sent.
    begun: bool,
}

/// Nothing is made before what came before is taken, and nobody but the connection itself is woken for it.
fn next<News: Send + Sync + 'static>(mut feed: Feed<News, impl Events<News>>) -> Following {
    Following(Box::pin(async move {
        let event = feed.next().await?;
        Some((event, next(feed)))
    }))
}

impl<News, E: Events<News>> Feed<News, E> {
    async fn next(&mut self) -> Option<Bytes> {
        let mut silent = false;
        loop {
            if std::mem::replace(&mut self.begun, true) {
                tokio::select! {
                    changed = self.newest.changed() => changed.ok()?,
                    () = sleep(self.events.beat()) => silent = true,
                }
            }
            let news = Arc::clone(&self.newest.borrow_and_update());
            match self.events.next(&news) {
                None if silent => return Some(Bytes::from_static(b":\n\n")),
                None => {}
                event => return event,
            }
        }
    }
}

/// Answers with what comes.
pub(super) fn stream(taken: Receiver<Bytes>) -> Response<Answer> {
    respond(Answer::Live(taken))
}

fn respond(answer: Answer) -> Response<Answer> {
    let mut response = Response::new(answer);
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

#[cfg(test)]
mod tests {
    use std::pin::Pin;

    use hyper::body::Body;

    use super::super::known::{Known, News};
    use super::*;

    struct Numbers;

    impl Events<Known> for Numbers {
        fn next(&mut self, known: &Arc<Known>) -> Option<Bytes> {
            Some(event("number", &known.number.to_string()))
        }
    }

    async fn taken(events: &mut Answer) -> Bytes {
        let frame = std::future::poll_fn(|cx| Pin::new(&mut *events).poll_frame(cx)).await;
        frame.unwrap().unwrap().into_data().unwrap()
    }

    #[tokio::test]
    async fn who_is_slow_is_sent_the_newest() {
        let (newest, news) = News::told();
        let mut events = follow(news.watch(), Numbers).into_body();
        assert_eq!(taken(&mut events).await, "event: number\ndata: 0\n\n");
        for number in 1..=100 {
            newest.send_replace(Arc::new(Known { number, ..Known::default() }));
            tokio::task::yield_now().await;
        }
        // One was on its way; the next is the last.
        let mut came = vec![taken(&mut events).await];
        while came.last().is_none_or(|last| last != "event: number\ndata: 100\n\n") {
            came.push(taken(&mut events).await);
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
