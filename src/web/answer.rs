//! One request, one answer: a view of the builder (`views`), or a file of a release.

use std::io;
use std::sync::Arc;

use hyper::header;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use jiff::Timestamp;
use tracing::debug;

use super::accept::choose;
use super::body::{Answer, Outgoing};
use super::client::{self, client};
use super::crowd;
use super::path::{self, Place, Refused, Target};
use super::reading;
use super::reply::{self, CURRENT, HTML, failed, missing, moved, set, text};
use super::routes::{self, View};
use super::send::send;
use super::sources;
use super::tree::{Found, Opened, PACKAGES, PACKAGES_GZ};
use super::upload;
use super::views::{self, Site};
use crate::model::release::{Id, Release};
use crate::render::html::{self, Page};

/// What git asks that can be told what is new.
const SERVICE: &str = "service=git-upload-pack";
/// Something below `/releases/ID/` never changes.
const FIXED: &str = "public, max-age=31536000, immutable";
/// Bytes of a `CHANGES` on a page.
const LONGEST_CHANGES: u64 = 1 << 20;

/// Answers; what the request has in its body is not read.
pub(super) fn answer<B>(
    site: &Arc<Site>,
    place: &crowd::Place,
    request: &Request<B>,
    outgoing: &Outgoing,
) -> Response<Answer> {
    let headers = request.headers();
    let path = request.uri().path();
    let head = *request.method() == Method::HEAD;
    let query = request.uri().query().unwrap_or_default();
    let asked = views::Asked { site, path, query, headers, head, place };
    let view = routes::find(path);
    let response = match (request.method(), view) {
        (&Method::GET | &Method::HEAD, _) if site.bare && !view.is_some_and(View::is_of_the_builder) => {
            place.sends(true);
            without_volume(site)
        }
        (&Method::GET | &Method::HEAD, Some(view)) => {
            place.sends(true);
            asked.view(view)
        }
        (&Method::GET | &Method::HEAD, None) if path.starts_with(reading::BELOW) => {
            place.sends(true);
            asked.logs(outgoing)
        }
        (&Method::GET | &Method::HEAD, None) => {
            place.sends(false);
            Asked { site, headers, outgoing, query: request.uri().query() }.path(path)
        }
        _ => {
            let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "Only GET and HEAD are answered here.");
            set(&mut response, header::ALLOW, "GET, HEAD");
            set(&mut response, header::CONNECTION, "close");
            response
        }
    };
    let response = in_words(site, headers, response);
    debug!("{} {path}: {}", request.method(), response.status().as_u16());
    response
}

/// What there would be is on a volume that is not touched: not gone for good, and nothing to be taken for an empty offer.
fn without_volume(site: &Site) -> Response<Answer> {
    let headline =
        site.look(Timestamp::now(), |builder| builder.status.map(|status| status.headline.clone()));
    let said = headline.unwrap_or_else(|| "The volume of this builder is not served.".to_owned());
    text(StatusCode::SERVICE_UNAVAILABLE, &said)
}

/// That something is not there, as a page with the way to what is there, for a browser; whoever fetches files gets the sentence.
fn in_words(site: &Site, headers: &HeaderMap, response: Response<Answer>) -> Response<Answer> {
    if ![StatusCode::NOT_FOUND, StatusCode::SERVICE_UNAVAILABLE].contains(&response.status()) {
        return response;
    }
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let mut response = match (choose(accept, &["text/plain", "text/html"]), response.body()) {
        (Some("text/html"), Answer::Text(sentence)) => {
            let sentence = String::from_utf8_lossy(sentence);
            reply::page(response.status(), html::document(&html::missing(sentence.trim_end()), site.frame()))
        }
        _ => response,
    };
    set(&mut response, header::VARY, "Accept");
    response
}

/// A request for a file.
struct Asked<'a> {
    site: &'a Site,
    headers: &'a HeaderMap,
    outgoing: &'a Outgoing,
    query: Option<&'a str>,
}

impl Asked<'_> {
    fn path(&self, path: &str) -> Response<Answer> {
        match path::read(path) {
            Ok(Target::Slash) => moved(&format!("{path}/")),
            Ok(Target::Health) => text(StatusCode::OK, "It answers."),
            Ok(Target::Client(name)) => self.client(name.as_deref()),
            Ok(Target::Key) => self.key(),
            Ok(Target::Current(place)) => match self.site.tree.current() {
                Some(id) => self.place(id, &place, true, path),
                None => missing("Nothing is published yet."),
            },
            Ok(Target::Source(name)) => self.source(&name),
            Ok(Target::Tree(path)) => self.tree(&path),
            Ok(Target::Fixed(id, place)) => self.place(id, &place, false, path),
            Err(Refused::NotFound) => missing("There is no such file."),
            Err(Refused::Malformed) => text(StatusCode::BAD_REQUEST, "This is no path of a file here."),
            Err(Refused::TooLong) => text(StatusCode::URI_TOO_LONG, "The path is too long."),
        }
    }

    fn client(&self, name: Option<&str>) -> Response<Answer> {
        let mut response = match client(&self.site.tree, name, self.headers) {
            Ok(script) => reply::body(self.headers, script, "text/plain; charset=utf-8"),
            Err(client::Refused::Nowhere) => text(
                StatusCode::BAD_REQUEST,
                "The address that you asked by (Host) is none that could be put into a script.",
            ),
            Err(client::Refused::Unreadable(error)) => failed(&error, "release.json"),
        };
        // Another client may have asked by another address.
        set(&mut response, header::CACHE_CONTROL, "no-store");
        set(&mut response, header::VARY, "Host");
        response
    }

    fn key(&self) -> Response<Answer> {
        match self.site.tree.file("gbsup.asc") {
            Ok(opened) => self.file(&Arc::new(opened), "application/pgp-keys", CURRENT),
            Err(error) if error.kind() == io::ErrorKind::NotFound => missing("The packages are not signed."),
            Err(error) => failed(&error, "gbsup.asc"),
        }
    }

    /// A source archive, or the layout of the mirror that this server is then.
    fn source(&self, name: &str) -> Response<Answer> {
        let Some(sources) = &self.site.sources else {
            return missing("Source archives are not served here: http.distfiles is false.");
        };
        if name == sources::LAYOUT.0 {
            return reply::body(self.headers, sources::LAYOUT.1, "text/plain; charset=utf-8");
        }
        match sources.file(name) {
            Ok(opened) => self.file(&Arc::new(opened), "application/octet-stream", CURRENT),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                missing("There is no such source archive.")
            }
            Err(error) => failed(&error, name),
        }
    }

    /// Something of an ebuild repository. Which commit clients get is a part of the release that is offered, so that trees and packages
    /// switch by the same rename; objects are shared by all releases, and never change.
    fn tree(&self, path: &str) -> Response<Answer> {
        let Some(id) = self.site.tree.current() else { return missing("Nothing is published yet.") };
        if self.query == Some(SERVICE)
            && let Some(repository) = path.strip_suffix("/info/refs")
            && let Some(references) = upload::references(&self.site.tree, repository)
        {
            return references;
        }
        let (found, keep) = match self.site.tree.file(&format!("{id}/{path}")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let keep = if path.ends_with("/objects/info/packs") { CURRENT } else { FIXED };
                (self.site.tree.file(path), keep)
            }
            found => (found, CURRENT),
        };
        match found {
            Ok(opened) => self.file(&Arc::new(opened), "application/octet-stream", keep),
            Err(error) if [io::ErrorKind::NotFound, io::ErrorKind::IsADirectory].contains(&error.kind()) => {
                missing("There is no such file.")
            }
            Err(error) => failed(&error, path),
        }
    }

    /// Something of a release; a package that is asked for in the current one and is not in it any more, of the newest of
    /// the last ones that has it: a client goes by the index that it read before. What is missing costs the same however many
    /// releases are kept.
    fn place(&self, id: Id, place: &Place, current: bool, path: &str) -> Response<Answer> {
        // What clients do with a release is known some time later.
        let keep = if current || place.path == "CHANGES" { CURRENT } else { FIXED };
        if place.path == PACKAGES && !place.slash {
            return self.index(id, keep);
        }
        let mut found = self.site.tree.find(id, place);
        if current && place.is_package() && is_missing(&found) {
            let others = self.site.tree.recent(id);
            if let Some(elsewhere) =
                others.iter().map(|id| self.site.tree.find(*id, place)).find(|found| !is_missing(found))
            {
                found = elsewhere;
            }
        }
        match found {
            Ok(Found::File(opened)) => self.file(&opened, kind(&place.path), keep),
            Ok(Found::Directory(entries)) if place.path.is_empty() => self.release(id, &entries, path),
            Ok(Found::Directory(entries)) => {
                self.html(&html::directory(&format!("{id}: {}", place.path), &entries))
            }
            Err(error) if error.kind() == io::ErrorKind::IsADirectory => moved(&format!("{path}/")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => missing("There is no such file."),
            Err(error) => failed(&error, &format!("{id}/{}", place.path)),
        }
    }

    /// The index; compressed, as it lies there, for whoever can take that for the index itself.
    fn index(&self, id: Id, keep: &'static str) -> Response<Answer> {
        let packed = accepts_gzip(self.headers).then(|| self.site.tree.index(id, PACKAGES_GZ).ok());
        let mut response = match packed.flatten() {
            Some(packed) => {
                let mut response = self.file(&packed, kind(PACKAGES), keep);
                set(&mut response, header::CONTENT_ENCODING, "gzip");
                response
            }
            None => match self.site.tree.index(id, PACKAGES) {
                Ok(plain) => self.file(&plain, kind(PACKAGES), keep),
                Err(error) if error.kind() == io::ErrorKind::NotFound => missing("There is no such file."),
                Err(error) => failed(&error, PACKAGES),
            },
        };
        set(&mut response, header::VARY, "Accept-Encoding");
        response
    }

    fn release(&self, id: Id, entries: &[(String, Option<u64>)], path: &str) -> Response<Answer> {
        let page = self.site.tree.page(id, || {
            let text = self.site.tree.text(&format!("{id}/release.json"))?;
            let release: Release = serde_json::from_str(&text)?;
            let changes = self.site.tree.beginning(&format!("{id}/CHANGES"), LONGEST_CHANGES).ok();
            let page = html::release(&release, self.site.tree.before(id), changes.as_deref(), entries);
            io::Result::Ok(html::document(&page, self.site.frame()))
        });
        match page {
            Ok(page) => reply::body(self.headers, page, HTML),
            // Of another version, or not made by gbsup: its files are there all the same.
            Err(_) => self.html(&html::directory(path, entries)),
        }
    }

    fn html(&self, page: &Page) -> Response<Answer> {
        reply::body(self.headers, html::document(page, self.site.frame()), HTML)
    }

    fn file(&self, opened: &Arc<Opened>, kind: &'static str, keep: &'static str) -> Response<Answer> {
        send(self.headers, self.outgoing, opened, kind, keep)
    }
}

/// Whether the client names gzip, or any coding, and does not refuse it by `q=0`.
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip") || name == "*");
        let refused = parts.any(|weight| weight.strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0)));
        named && !refused
    })
}

fn is_missing(found: &io::Result<Found>) -> bool {
    matches!(found, Err(error) if error.kind() == io::ErrorKind::NotFound)
}

/// The type of a file. Of the compressed index it is that of the file: Portage asks for it by its name and unpacks it.
fn kind(path: &str) -> &'static str {
    let name = path.rsplit('/').next().unwrap_or_default();
    match name.rsplit_once('.') {
        _ if name == PACKAGES || name == "CHANGES" => "text/plain; charset=utf-8",
        Some((_, "gz")) => "application/gzip",
        Some((_, "json")) => "application/json",
        Some((_, "tar")) => "application/x-tar",
        _ => "application/octet-stream",
    }
}
