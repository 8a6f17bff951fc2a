//! `[http]`: what clients are served on.

use std::net::{Ipv6Addr, SocketAddr};

use http::Uri;
use toml::Value;
use toml::de::DeValue;

use super::values::{self, Read, Shown};

/// `http.listen`
pub(super) fn listen(value: &DeValue) -> Read<Option<SocketAddr>> {
    const WHAT: &str =
        "an address with its port, such as \"0.0.0.0:8080\" or \"[::]:8080\", or \"\" for none";
    match value {
        DeValue::String(text) if text.is_empty() => Ok(None),
        DeValue::String(text) => text.parse().map(Some).map_err(|_| values::mismatch(WHAT, value)),
        _ => Err(values::mismatch(WHAT, value)),
    }
}

/// `http.url`; as it is put into a client's configuration, so nothing that a shell or an INI file takes for its own.
pub(super) fn url(value: &DeValue) -> Read<String> {
    let text = values::text(value)?;
    if text.is_empty() { Ok(text) } else { location(&text) }
}

/// A URL that clients download from, without the slash at its end; one without a path is that of gbsup's server.
pub fn location(text: &str) -> Result<String, String> {
    let harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/@[]%+".contains(&byte);
    let known = text.parse::<Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|host| !host.is_empty())
    });
    if known && text.bytes().all(harmless) {
        let text = text.trim_end_matches('/');
        let bare = text.matches('/').count() == 2;
        return Ok(if bare { format!("{text}/binpkgs") } else { text.to_owned() });
    }
    Err(format!("expected a URL such as \"http://builder.example:8080\", found {text:?}"))
}

/// No more peers are named; a name may stand for several builders.
pub(super) const PEERS: usize = 64;

/// Another builder, or the name of several: where its pages are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    url: String,
    /// Without the brackets of an IPv6 address.
    host: String,
    port: u16,
}

impl Peer {
    /// Reads a URL of nothing but a scheme, a host and perhaps a port: the pages of a builder lie at the root.
    ///
    /// # Errors
    /// Why it is none; a name or a password before the host is not repeated.
    pub fn parse(text: &str) -> Result<Self, String> {
        const LIKE: &str = "a URL such as \"http://desktop:8080\"";
        let text = text.strip_suffix('/').unwrap_or(text);
        let known = text.parse::<Uri>().ok().filter(|_| !text.contains(['?', '#', '\\']));
        let uri = known.ok_or_else(|| format!("expected {LIKE}"))?;
        let usual = match uri.scheme_str() {
            Some("http") => 80,
            Some("https") => 443,
            _ => return Err(format!("expected {LIKE}: it does not begin with http:// or https://")),
        };
        let Some(authority) = uri.authority() else { return Err(format!("expected {LIKE}: it has no host")) };
        if authority.as_str().contains('@') {
            return Err(format!("expected {LIKE}: a name or a password before the host is not sent"));
        }
        let whole = authority.host();
        let bare = whole.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        let is_host = match bare {
            Some(address) => address.parse::<Ipv6Addr>().is_ok(),
            None => !whole.is_empty() && whole.bytes().all(harmless),
        };
        if !is_host {
            return Err(format!("expected {LIKE}: its host is neither a name nor an address"));
        }
        let port = authority.as_str().strip_prefix(whole).unwrap_or_default();
        let port = match port.strip_prefix(':') {
            Some(digits) => digits.parse().ok().filter(|port| *port != 0),
            None => Some(usual),
        };
        let Some(port) = port else {
            return Err(format!("expected {LIKE}: its port is none from 1 to 65535"));
        };
        if uri.path_and_query().is_some_and(|path| path.as_str() != "/") {
            return Err(format!("expected {LIKE}: the pages of a builder are at the root, without a path"));
        }
        Ok(Self { url: text.to_ascii_lowercase(), host: bare.unwrap_or(whole).to_ascii_lowercase(), port })
    }

    /// `http://desktop:8080`, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The name or the address.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Shown for Peer {
    fn shown(&self) -> Value {
        self.url.as_str().into()
    }
}

/// An element of `http.peers`.
pub(super) fn peer(value: &DeValue) -> Read<Peer> {
    Peer::parse(&values::text(value)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_a_place_and_nothing_else() {
        for (text, url, host, port) in [
            ("http://desktop:8080", "http://desktop:8080", "desktop", 8080),
            ("http://Tasks.Builder:8080/", "http://tasks.builder:8080", "tasks.builder", 8080),
            ("https://farm.example", "https://farm.example", "farm.example", 443),
            ("http://10.0.0.2", "http://10.0.0.2", "10.0.0.2", 80),
            ("http://[2001:DB8::1]:1", "http://[2001:db8::1]:1", "2001:db8::1", 1),
        ] {
            let peer = Peer::parse(text).unwrap();
            assert_eq!((peer.url(), peer.host(), peer.port()), (url, host, port));
        }
        for text in [
            "",
            "desktop:8080",
            "ftp://desktop",
            "http://",
            "http://:80",
            "http://a:0",
            "http://a:65536",
            "http://a:",
            "http://a/farm",
            "http://a?x",
            "http://a#x",
            "http://a b",
            "http://a'b",
            "http://[::1",
            "http://[x]",
            "http://user:secret@a",
        ] {
            let why = Peer::parse(text).unwrap_err();
            assert!(why.starts_with("expected a URL such as") && !why.contains("secret"), "{text}: {why}");
        }
    }

    #[test]
    fn urls_are_harmless_and_lead_to_packages() {
        for (text, url) in [
            ("http://builder", "http://builder/binpkgs"),
            ("http://builder:8080/", "http://builder:8080/binpkgs"),
            ("https://[2001:db8::1]:1/x/y/", "https://[2001:db8::1]:1/x/y"),
        ] {
            assert_eq!(location(text).as_deref(), Ok(url));
        }
        for text in [
            "",
            "builder:8080",
            "ftp://builder",
            "http://",
            "http://a'b",
            "http://a/$(id)",
            "http://a/b c",
            "/x",
        ] {
            assert!(location(text).is_err(), "{text}");
        }
    }
}
