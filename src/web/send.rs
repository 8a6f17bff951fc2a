//! The bytes of a file, all of them or a part.

use std::sync::Arc;

use bytes::Bytes;
use hyper::header;
use hyper::{HeaderMap, Response, StatusCode};

use super::body::{Answer, Outgoing, Slice};
use super::conditional::{Part, part, to_http};
use super::reply::{set, text};
use super::tree::Opened;

/// Answers with what of the file the client asks for; `keep` says how long it may be kept.
pub(super) fn send(
    headers: &HeaderMap,
    outgoing: &Outgoing,
    opened: &Arc<Opened>,
    kind: &str,
    keep: &str,
) -> Response<Answer> {
    let (size, version) = (opened.size, &opened.version);
    let (status, slice) = match part(headers, version, size) {
        Part::Whole => (StatusCode::OK, Some((0, size))),
        Part::Range { from, length } => (StatusCode::PARTIAL_CONTENT, Some((from, length))),
        Part::NotModified => (StatusCode::NOT_MODIFIED, None),
        Part::Failed => return text(StatusCode::PRECONDITION_FAILED, "The file is another one now."),
        Part::Unsatisfiable => {
            let mut response = text(StatusCode::RANGE_NOT_SATISFIABLE, "The file is not as long as that.");
            set(&mut response, header::CONTENT_RANGE, &format!("bytes */{size}"));
            return response;
        }
    };
    let mut response = match slice {
        Some((from, length)) => {
            let slice = Slice { of: Arc::clone(opened), from, length };
            let mut response = Response::new(Answer::File(slice, outgoing.clone()));
            set(&mut response, header::CONTENT_LENGTH, &length.to_string());
            set(&mut response, header::CONTENT_TYPE, kind);
            if status == StatusCode::PARTIAL_CONTENT {
                let range = format!("bytes {from}-{}/{size}", from + length - 1);
                set(&mut response, header::CONTENT_RANGE, &range);
            }
            response
        }
        None => Response::new(Answer::Text(Bytes::new())),
    };
    *response.status_mut() = status;
    set(&mut response, header::ACCEPT_RANGES, "bytes");
    set(&mut response, header::CACHE_CONTROL, keep);
    set(&mut response, header::ETAG, &version.tag);
    set(&mut response, header::LAST_MODIFIED, &to_http(version.modified));
    set(&mut response, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    response
}
