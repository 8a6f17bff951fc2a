//! The repositories as git asks a server for them that can tell what is new: a client is sent the [steps](crate::git::step) from the commit
//! that it has to the one on offer. Without those it gets all, as from a server of plain files.

use std::collections::HashSet;
use std::fs::File;
use std::future::poll_fn;
use std::io::{self, Read, Seek, SeekFrom};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flate2::read::GzDecoder;
use hyper::body::{Body, Incoming};
use hyper::header;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use sha1::{Digest, Sha1};
use tokio::sync::mpsc::{self, Sender};
use tokio::time::timeout;
use tracing::debug;

use super::body::Answer;
use super::path::{self, Target};
use super::reply::{missing, set, text};
use super::tree::Tree;
use super::views::Site;
use crate::git::upload::{self, ASKED, RESULT, SERVICE, Told};
use crate::git::{Commit, Id, Kind, beginning, count, loose_commit, raw, step};

/// Bytes of a request, before and after it was unpacked: each commit that a client has takes 50.
const LONGEST: usize = 1 << 20;
/// Bytes that are read at once.
const PIECE: u64 = 64 << 10;
/// More commits than ever follow each other.
const COMMITS: usize = 1024;

/// The repository whose objects a request asks for.
pub(super) fn asked_of<B>(request: &Request<B>) -> Option<String> {
    if *request.method() != Method::POST {
        return None;
    }
    let Ok(Target::Tree(path)) = path::read(request.uri().path()) else { return None };
    path.strip_suffix(SERVICE)?.strip_suffix('/').map(str::to_owned)
}

/// Which commit of a repository is on offer.
pub(super) fn references(tree: &Tree, repository: &str) -> Option<Response<Answer>> {
    let body = Bytes::from(upload::references(offered(tree, repository)?));
    Some(reply(Answer::Text(body), upload::REFERENCES))
}

fn offered(tree: &Tree, repository: &str) -> Option<Id> {
    let text = tree.text(&format!("{}/{repository}/info/refs", tree.current()?)).ok()?;
    text.split_whitespace().next()?.parse().ok()
}

fn reply(body: Answer, kind: &str) -> Response<Answer> {
    let mut response = Response::new(body);
    set(&mut response, header::CONTENT_TYPE, kind);
    set(&mut response, header::CACHE_CONTROL, "no-cache");
    response
}

/// Answers a client that says what it has.
pub(super) async fn answer(
    site: Arc<Site>,
    repository: &str,
    request: Request<Incoming>,
    limit: Duration,
) -> Response<Answer> {
    let tree = &site.tree;
    let close = |status, sentence| {
        let mut response = text(status, sentence);
        set(&mut response, header::CONNECTION, "close");
        response
    };
    if request.headers().get(header::CONTENT_TYPE).is_none_or(|kind| kind != ASKED) {
        return close(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Only what git asks is answered here.");
    }
    let packed = is_packed(request.headers());
    let body = match timeout(limit, collect(request.into_body())).await {
        Ok(Some(body)) => body,
        Ok(None) => return close(StatusCode::PAYLOAD_TOO_LARGE, "That is longer than a request of git."),
        Err(_) => return close(StatusCode::REQUEST_TIMEOUT, "The request took too long."),
    };
    let Some(body) = (if packed { unpacked(&body) } else { Some(body) }) else {
        return close(StatusCode::BAD_REQUEST, "That is no request of git.");
    };
    let told = |words: String| reply(Answer::Text(Bytes::from(words)), RESULT);
    let asked = match upload::read(&body) {
        Ok(asked) => asked,
        Err(why) => return told(upload::refusal(why)),
    };
    let Some(current) = offered(tree, repository) else { return missing("There is no such repository.") };
    let steps = tree.steps(repository);
    // The release may have been switched since it read the references.
    let is_known = asked.want == current || step::way(&steps, &[asked.want].into(), current).is_some();
    if !is_known {
        return told(upload::refusal(&format!("{} is not on offer any more", asked.want)));
    }
    let have: HashSet<Id> = asked.have.iter().copied().collect();
    let way = step::way(&steps, &have, asked.want);
    let leads =
        way.iter().flatten().map(|(from, _)| *from).take(1).chain(way.is_some().then_some(asked.want));
    let (words, pack) = match asked.told(&leads.collect()) {
        Told::More(words) => return told(words),
        Told::Since(words) => match since(tree, repository, &way.unwrap_or_default()) {
            Ok(pack) => (words, Ok(pack)),
            // It said that it has something; all is a superset of what is new.
            Err(error) => {
                debug!("the steps of {repository} cannot be read: {error}");
                (words, all(tree, repository, asked.want))
            }
        },
        Told::All(words) => (words, all(tree, repository, asked.want)),
    };
    match pack {
        Ok(pack) => {
            let (out, taken) = mpsc::channel(2);
            tokio::spawn(send(site, words, pack, out));
            reply(Answer::Live(taken), RESULT)
        }
        Err(error) => {
            debug!("{repository} cannot be read: {error}");
            told(upload::refusal("the repository cannot be read"))
        }
    }
}

fn is_packed(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_ENCODING).is_some_and(|coding| coding == "gzip" || coding == "x-gzip")
}

/// A request, as far as it is none that is too long.
async fn collect(mut body: Incoming) -> Option<Vec<u8>> {
    let mut whole = Vec::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let Ok(data) = frame.ok()?.into_data() else { continue };
        if whole.len() + data.len() > LONGEST {
            return None;
        }
        whole.extend_from_slice(&data);
    }
    Some(whole)
}

fn unpacked(body: &[u8]) -> Option<Vec<u8>> {
    let mut whole = Vec::new();
    GzDecoder::new(body).take(LONGEST as u64 + 1).read_to_end(&mut whole).ok()?;
    (whole.len() <= LONGEST).then_some(whole)
}

/// A pack as it is sent.
struct Pack {
    count: u32,
    pieces: Vec<Piece>,
}

enum Piece {
    Bytes(Vec<u8>),
    /// A part of a file, which is opened when it is sent: a request may be for dozens.
    Of(Arc<str>, u64, u64),
}

fn number(length: usize) -> io::Result<u32> {
    u32::try_from(length).map_err(|_| io::ErrorKind::FileTooLarge.into())
}

/// What is new on the way.
fn since(tree: &Tree, repository: &str, way: &[(Id, Id)]) -> io::Result<Pack> {
    let mut files: Vec<Arc<str>> = Vec::new();
    let mut steps = Vec::new();
    for (old, new) in way {
        let path = format!("{repository}/steps/{old}-{new}");
        let opened = tree.file(&path)?;
        let mut file = io::BufReader::new(&opened.file);
        let parts = step::read(&mut file, opened.size)?.ok_or(io::ErrorKind::InvalidData)?;
        files.push(Arc::from(path));
        steps.push(parts);
    }
    let mut pack = Pack { count: 0, pieces: Vec::new() };
    for (file, parts) in files.into_iter().zip(step::to_send(steps)) {
        pack.count += number(parts.len())?;
        let mut piece: Option<(u64, u64)> = None;
        for part in parts {
            let length = u64::from(part.length);
            piece = match piece {
                Some((from, before)) if from + before == part.from => Some((from, before + length)),
                other => {
                    pack.pieces
                        .extend(other.map(|(from, length)| Piece::Of(Arc::clone(&file), from, length)));
                    Some((part.from, length))
                }
            };
        }
        pack.pieces.extend(piece.map(|(from, length)| Piece::Of(Arc::clone(&file), from, length)));
    }
    Ok(pack)
}

/// All that is there, and the commits up to this one.
fn all(tree: &Tree, repository: &str, commit: Id) -> io::Result<Pack> {
    let mut pack = Pack { count: 0, pieces: Vec::new() };
    let mut next = Some(commit);
    while let Some(id) = next.filter(|_| pack.pieces.len() < COMMITS) {
        let name = id.to_string();
        let (start, rest) = name.split_at(2);
        let mut file = Vec::new();
        let opened = tree.file(&format!("{repository}/objects/{start}/{rest}"))?;
        opened.file.take(LONGEST as u64).read_to_end(&mut file)?;
        let content = loose_commit(&file).ok_or(io::ErrorKind::InvalidData)?;
        pack.pieces.push(Piece::Bytes(raw(Kind::Commit, &content)?));
        pack.count += 1;
        next = Commit::parent_of(&content);
    }
    let packs = tree.text(&format!("{repository}/objects/info/packs"))?;
    for name in packs.lines().filter_map(|line| line.strip_prefix("P ")) {
        let path = format!("{repository}/objects/pack/{name}");
        let opened = tree.file(&path)?;
        let mut head = [0; 12];
        (&opened.file).read_exact(&mut head)?;
        let count = count(&head).ok_or(io::ErrorKind::InvalidData)?;
        pack.count = pack.count.checked_add(count).ok_or(io::ErrorKind::FileTooLarge)?;
        let length = opened.size.checked_sub(12 + 20).ok_or(io::ErrorKind::InvalidData)?;
        pack.pieces.push(Piece::Of(path.into(), 12, length));
    }
    Ok(pack)
}

/// Sends the words and the pack. What breaks off has no sum at its end, and is not taken.
async fn send(site: Arc<Site>, words: String, pack: Pack, out: Sender<Bytes>) {
    let mut sum = Sha1::new();
    if out.send(Bytes::from(words)).await.is_err() {
        return;
    }
    let begin = Piece::Bytes(beginning(pack.count));
    for piece in std::iter::once(begin).chain(pack.pieces) {
        let sent = match piece {
            Piece::Bytes(bytes) => {
                sum.update(&bytes);
                out.send(Bytes::from(bytes)).await.is_ok()
            }
            Piece::Of(path, from, length) => match site.tree.file(&path) {
                Ok(opened) => of_file(&opened.file, (from, length), &mut sum, &out).await,
                Err(_) => false,
            },
        };
        if !sent {
            return;
        }
    }
    let sum: [u8; 20] = sum.finalize().into();
    // Whoever has gone needs none.
    drop(out.send(Bytes::copy_from_slice(&sum)).await);
}

async fn of_file(mut file: &File, (from, mut left): (u64, u64), sum: &mut Sha1, out: &Sender<Bytes>) -> bool {
    if file.seek(SeekFrom::Start(from)).is_err() {
        return false;
    }
    while left > 0 {
        let mut bytes = Vec::new();
        let read = file.take(left.min(PIECE)).read_to_end(&mut bytes);
        let Some(read) = read.ok().filter(|read| *read > 0) else { return false };
        left -= read as u64;
        sum.update(&bytes);
        if out.send(Bytes::from(bytes)).await.is_err() {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests;
