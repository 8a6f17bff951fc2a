//! Which form of something a client wants: RFC 9110, section 12.5.1. Pure.

/// That of the offered media types which the client wants most, the first of several; nothing when it wants none. A client
/// that says nothing wants any.
pub(super) fn choose<'a>(accept: Option<&str>, offered: &[&'a str]) -> Option<&'a str> {
    let Some(accept) = accept.filter(|accept| !accept.trim().is_empty()) else {
        return offered.first().copied();
    };
    let mut best: Option<(u16, &str)> = None;
    for kind in offered {
        let weight = weight(accept, kind);
        if weight > best.map_or(0, |(weight, _)| weight) {
            best = Some((weight, kind));
        }
    }
    best.map(|(_, kind)| kind)
}

/// In thousandths, by the most specific range that has it.
fn weight(accept: &str, kind: &str) -> u16 {
    let top = kind.split('/').next().unwrap_or_default();
    let mut found: Option<(u8, u16)> = None;
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let precise = match name.split_once('/') {
            Some(("*", "*")) => 0,
            Some((name, "*")) if name.eq_ignore_ascii_case(top) => 1,
            Some(_) if name.eq_ignore_ascii_case(kind) => 2,
            _ => continue,
        };
        let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        let weight = weight.map_or(1000, thousandths);
        if found.is_none_or(|(before, _)| precise > before) {
            found = Some((precise, weight));
        }
    }
    found.map_or(0, |(_, weight)| weight)
}

/// `1`, `0.8`, `0.123`; what is no such number is as if it were not there.
fn thousandths(text: &str) -> u16 {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = part.bytes().chain(*b"000").take(3);
    let part = digits.fold(0, |sum, digit| sum * 10 + u16::from(digit.wrapping_sub(b'0').min(9)));
    match whole {
        "0" => part,
        _ => 1000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_chooses() {
        const OFFERED: &[&str] = &["text/html", "application/json", "text/plain"];
        for (accept, chosen) in [
            (None, Some("text/html")),
            (Some(""), Some("text/html")),
            (Some("*/*"), Some("text/html")),
            // Firefox, and curl with a wish.
            (Some("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"), Some("text/html")),
            (Some("application/json"), Some("application/json")),
            (Some("APPLICATION/JSON;q=0.2, text/plain;q=0.25"), Some("text/plain")),
            (Some("text/*;q=0.5, application/json"), Some("application/json")),
            (Some("text/html;q=0, text/*"), Some("text/plain")),
            (Some("*/*;q=0.1, text/html;q=0.05"), Some("application/json")),
            (Some("image/png"), None),
            (Some("text/html;q=0"), None),
            (Some("nonsense"), None),
            (Some("text/html;q=x"), Some("text/html")),
        ] {
            assert_eq!(choose(accept, OFFERED), chosen, "{accept:?}");
        }
    }
}
