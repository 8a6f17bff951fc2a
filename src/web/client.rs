//! `/client.sh`: the script that a client runs, with the address in it that the client asked by.

use std::io;

use hyper::{HeaderMap, header};

use super::tree::Tree;
use crate::config;
use crate::render::client_config::{Key, Origin, Setup, Signing, script};

/// Bytes of the longest name that a host has, with its port.
const LONGEST: usize = 253 + 6;

/// Why there is no script.
#[derive(Debug)]
pub(super) enum Refused {
    /// By the request nobody knows where the builder is.
    Nowhere,
    /// What is published cannot be read.
    Unreadable(io::Error),
}

/// The script. What is configured as the builder's address (`http.url`) comes before what the client asked by: a proxy may speak
/// TLS in between.
pub(super) fn client(tree: &Tree, name: Option<&str>, headers: &HeaderMap) -> Result<String, Refused> {
    let (url, origin) = match tree.url() {
        "" => (asked(headers).ok_or(Refused::Nowhere)?, Origin::Asked),
        url => (url.to_owned(), Origin::Configured),
    };
    let url = name.map(|name| named(&url, name)).unwrap_or(url);
    let signing = signing(tree).map_err(Refused::Unreadable)?;
    Ok(script(&Setup { url, origin, signing }))
}

/// The same under a name of the builder's own. A URL that is no server's of gbsup stays.
fn named(url: &str, name: &str) -> String {
    url.strip_suffix("/binpkgs").map_or_else(|| url.to_owned(), |top| format!("{top}/{name}/binpkgs"))
}

/// The address by which the client asked. Root runs what is made of it, so it is a name or an address with a port, and nothing
/// else.
fn asked(headers: &HeaderMap) -> Option<String> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts.next()?.to_str().ok()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
    if hosts.next().is_some() || host.len() > LONGEST || !host.bytes().all(plain) || host.starts_with('-') {
        return None;
    }
    let (_, port) = host.rsplit_once(':').filter(|_| !host.ends_with(']')).unwrap_or((host, "80"));
    port.parse::<u16>().ok()?;
    config::location(&format!("http://{host}")).ok()
}

fn signing(tree: &Tree) -> io::Result<Signing> {
    let Some(id) = tree.current() else { return Ok(Signing::Unknown) };
    let fingerprint = tree.signed(id)?;
    if fingerprint.is_empty() {
        return Ok(Signing::Unsigned);
    }
    let armor = tree.text("gbsup.asc")?;
    Ok(Signing::By(Key { fingerprint: String::from_utf8_lossy(&fingerprint).into_owned(), armor }))
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn of(hosts: &[&[u8]]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(header::HOST, HeaderValue::from_bytes(host).unwrap());
        }
        asked(&headers)
    }

    #[test]
    fn builders_on_one_machine_differ_in_path() {
        assert_eq!(named("http://b:8080/binpkgs", "laptop"), "http://b:8080/laptop/binpkgs");
        assert_eq!(named("https://mirror.example/gentoo", "laptop"), "https://mirror.example/gentoo");
    }

    #[test]
    fn an_address_is_what_root_may_be_given() {
        for (host, url) in [
            ("builder", "http://builder/binpkgs"),
            ("builder.example:8080", "http://builder.example:8080/binpkgs"),
            ("192.0.2.7:80", "http://192.0.2.7:80/binpkgs"),
            ("[2001:db8::1]:8080", "http://[2001:db8::1]:8080/binpkgs"),
        ] {
            assert_eq!(of(&[host.as_bytes()]).as_deref(), Some(url));
        }
        let long = "a".repeat(300);
        for host in [
            "",
            "a b",
            "a'b",
            "a\"b",
            "a/b",
            "a@b",
            "a%20b",
            "a$(id)",
            "a;id",
            "a`id`",
            "a\\b",
            "a#b",
            "a?b",
            "a\tb",
            "@KEY@",
            "-a",
            "[",
            "a:99999x",
            long.as_str(),
        ] {
            assert_eq!(of(&[host.as_bytes()]), None, "{host}");
        }
        assert_eq!(of(&["a\u{e9}".as_bytes()]), None);
        assert_eq!(of(&[b"a", b"b"]), None, "which of two is nobody's to choose");
        assert_eq!(of(&[]), None);
    }
}
