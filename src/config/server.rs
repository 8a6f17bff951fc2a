//! What a server is told to serve with.

use super::http::Peer;
use super::keys::{Config, Http};

/// The environment that tells a server the configuration as it is in force, whatever is in the file by now.
pub(crate) fn server(config: &Config, http: &Http) -> Vec<(String, String)> {
    let listen = http.listen.map(|address| address.to_string()).unwrap_or_default();
    // No URL of a peer has anything in it that a shell would take for its own.
    let peers: Vec<_> = http.peers.iter().map(Peer::url).collect();
    let variables = [
        ("GBSUP_CONFIG", "/dev/null".to_owned()),
        ("GBSUP_VOLUME_PATH", config.volume.path.display().to_string()),
        ("GBSUP_HTTP_LISTEN", listen),
        ("GBSUP_HTTP_MAX_CONNECTIONS", http.max_connections.to_string()),
        ("GBSUP_HTTP_MAX_PAGES", http.max_pages.to_string()),
        ("GBSUP_HTTP_LOGS", http.logs.to_string()),
        ("GBSUP_HTTP_PEERS", peers.join(" ")),
        ("GBSUP_NOTIFY_NAME", config.notify.name.clone()),
        ("GBSUP_LOG_LEVEL", config.log.level.to_string()),
        ("GBSUP_LOG_FORMAT", config.log.format.to_string()),
    ];
    variables.map(|(name, value)| (name.to_owned(), value)).to_vec()
}
