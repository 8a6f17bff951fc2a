//! Answers that are texts: their heads, and that a client which has one already is not sent it again.

use std::hash::{DefaultHasher, Hasher};

use bytes::Bytes;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{HeaderMap, Response, StatusCode};
use tracing::warn;

use super::body::Answer;
use super::conditional::is_listed;

/// What `/binpkgs/` has, and how the builder is, may be another thing at any time: kept, but asked for again.
pub(super) const CURRENT: &str = "no-cache";
/// Pages have what this server has, and nothing else: no script and no style that stands in the page itself, whatever a
/// name in it says.
const POLICY: &str = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

pub(super) const HTML: &str = "text/html; charset=utf-8";

pub(super) fn set(response: &mut Response<Answer>, name: HeaderName, value: &str) {
    // What could not stand in a header was refused as a path; without it the answer is still right.
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

fn of_text(status: StatusCode, body: Bytes, kind: &str) -> Response<Answer> {
    let length = body.len().to_string();
    let mut response = Response::new(Answer::Text(body));
    *response.status_mut() = status;
    set(&mut response, header::CONTENT_LENGTH, &length);
    set(&mut response, header::CONTENT_TYPE, kind);
    set(&mut response, header::CACHE_CONTROL, CURRENT);
    set(&mut response, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    if kind == HTML {
        set(&mut response, header::CONTENT_SECURITY_POLICY, POLICY);
        set(&mut response, header::REFERRER_POLICY, "no-referrer");
    }
    response
}

/// A text of this type; 304 when the client has the same.
pub(super) fn body(headers: &HeaderMap, body: impl Into<Bytes>, kind: &str) -> Response<Answer> {
    let body = body.into();
    let mut hasher = DefaultHasher::new();
    hasher.write(&body);
    let tag = format!("\"{:016x}-{:x}\"", hasher.finish(), body.len());
    let known = headers.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
    let mut response = if known.is_some_and(|tags| is_listed(tags, &tag)) {
        let mut response = Response::new(Answer::Text(Bytes::new()));
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        set(&mut response, header::CACHE_CONTROL, CURRENT);
        response
    } else {
        of_text(StatusCode::OK, body, kind)
    };
    set(&mut response, header::ETAG, &tag);
    response
}

/// One sentence.
pub(super) fn text(status: StatusCode, sentence: &str) -> Response<Answer> {
    of_text(status, format!("{sentence}\n").into(), "text/plain; charset=utf-8")
}

/// A page that is none of those that there are.
pub(super) fn page(status: StatusCode, document: String) -> Response<Answer> {
    of_text(status, document.into(), HTML)
}

pub(super) fn missing(sentence: &str) -> Response<Answer> {
    text(StatusCode::NOT_FOUND, sentence)
}

pub(super) fn moved(to: &str) -> Response<Answer> {
    let mut response = text(StatusCode::MOVED_PERMANENTLY, "It is a directory: its name ends with a slash.");
    set(&mut response, header::LOCATION, to);
    response
}

pub(super) fn failed(error: &std::io::Error, path: &str) -> Response<Answer> {
    if error.kind() == std::io::ErrorKind::PermissionDenied {
        warn!("{path} may not be read by the server's user: it has to be readable by others");
        return text(StatusCode::FORBIDDEN, "The server may not read this file.");
    }
    warn!("{path} cannot be read: {error}");
    text(StatusCode::INTERNAL_SERVER_ERROR, "The file cannot be read.")
}
