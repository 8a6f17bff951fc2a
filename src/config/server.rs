//! What a server is told to serve with.

use super::http::Peer;
use super::keys::{Config, Http};

/// The environment that tells a server the configuration as it is in force, whatever is in the file by now.
pub(crate) fn server(config: &Config, http: &Http) -> Vec<(String, String)> {
    // Each by its name, so that none is forgotten; the URL is for people.
    let Http { listen, url: _, max_connections, max_pages, logs, distfiles, peers } = http;
    let listen = listen.map(|address| address.to_string()).unwrap_or_default();
    // No URL of a peer has anything in it that a shell would take for its own.
    let peers: Vec<_> = peers.iter().map(Peer::url).collect();
    let variables = [
        ("GBSUP_CONFIG", "/dev/null".to_owned()),
        ("GBSUP_VOLUME_PATH", config.volume.path.display().to_string()),
        ("GBSUP_HTTP_LISTEN", listen),
        ("GBSUP_HTTP_MAX_CONNECTIONS", max_connections.to_string()),
        ("GBSUP_HTTP_MAX_PAGES", max_pages.to_string()),
        ("GBSUP_HTTP_LOGS", logs.to_string()),
        ("GBSUP_HTTP_DISTFILES", distfiles.to_string()),
        ("GBSUP_HTTP_PEERS", peers.join(" ")),
        ("GBSUP_NOTIFY_NAME", config.notify.name.clone()),
        ("GBSUP_LOG_LEVEL", config.log.level.to_string()),
        ("GBSUP_LOG_FORMAT", config.log.format.to_string()),
    ];
    variables.map(|(name, value)| (name.to_owned(), value)).to_vec()
}
