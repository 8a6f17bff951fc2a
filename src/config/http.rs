//! `[http]`: what clients are served on.

use std::net::SocketAddr;

use http::Uri;
use toml::de::DeValue;

use super::values::{self, Read};

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

#[cfg(test)]
mod tests {
    use super::*;

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
