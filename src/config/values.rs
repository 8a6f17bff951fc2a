//! One value of the file or of a variable, turned into what it means, or a reason why not; and how it is shown.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use jiff::fmt::friendly::{SpanParser, SpanPrinter};
use jiff::{SignedDuration, SpanRelativeTo};
use serde::de::DeserializeOwned;
use toml::Value;
use toml::de::DeValue;

use crate::portage::files::elf::Kernel;
use crate::portage::names::atom::Provided;
use crate::words;

/// A value, or the reason why it is none.
pub(super) type Read<T> = Result<T, String>;

/// `expected <what>, found <value>`.
pub(super) fn mismatch(what: &str, value: &DeValue) -> String {
    format!("expected {what}, found {}", found(value))
}

pub(super) fn expected<T>(what: &str, value: &DeValue) -> Read<T> {
    Err(mismatch(what, value))
}

/// The value as it is quoted in a message.
fn found(value: &DeValue) -> String {
    match value {
        DeValue::String(text) => format!("{text:?}"),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(yes) => yes.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(_) => "a list".into(),
        DeValue::Table(_) => "a table".into(),
    }
}

pub(super) fn text(value: &DeValue) -> Read<String> {
    match value {
        DeValue::String(text) if text.contains('\0') => Err("a NUL byte cannot be passed on".into()),
        DeValue::String(text) => Ok(text.to_string()),
        _ => expected("text in quotes", value),
    }
}

pub(super) fn word(value: &DeValue) -> Read<String> {
    let text = text(value)?;
    if text.is_empty() { Err("expected text, found none".into()) } else { Ok(text) }
}

pub(super) fn boolean(value: &DeValue) -> Read<bool> {
    match value {
        DeValue::Boolean(yes) => Ok(*yes),
        _ => expected("true or false", value),
    }
}

pub(super) fn absolute(value: &DeValue) -> Read<PathBuf> {
    let path = PathBuf::from(text(value)?);
    if path.is_absolute() { Ok(path) } else { expected("an absolute path", value) }
}

pub(super) const MINUTE: u64 = 60;
pub(super) const HOUR: u64 = 60 * MINUTE;
pub(super) const DAY: u64 = 24 * HOUR;
pub(super) const YEAR: u64 = 365 * DAY;

/// A duration within bounds, in seconds.
pub(super) fn duration<const LEAST: u64, const MOST: u64>(value: &DeValue) -> Read<Duration> {
    const WHAT: &str = "a duration such as \"24h\", \"10 min\" or \"90s\"";
    let DeValue::String(text) = value else { return expected(WHAT, value) };
    let Ok(span) = SpanParser::new().parse_span(text.as_bytes()) else { return expected(WHAT, value) };
    let Ok(signed) = span.to_duration(SpanRelativeTo::days_are_24_hours()) else {
        return Err(format!("{text:?}: months and years have no fixed length, use weeks, days or hours"));
    };
    let Ok(duration) = Duration::try_from(signed) else {
        return expected("a duration that is not negative", value);
    };
    let (least, most) = (Duration::from_secs(LEAST), Duration::from_secs(MOST));
    if (least..=most).contains(&duration) {
        return Ok(duration);
    }
    expected(&format!("a duration from {} to {}", friendly(least), friendly(most)), value)
}

/// A duration of at least a second, or `never`.
pub(super) fn interval<const MOST: u64>(value: &DeValue) -> Read<Option<Duration>> {
    match value {
        DeValue::String(text) if text == "never" => Ok(None),
        _ => duration::<1, MOST>(value).map(Some),
    }
}

/// The units of a size, the largest first.
const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

/// A number of bytes, or `any`.
pub(super) fn size(value: &DeValue) -> Read<Option<u64>> {
    const WHAT: &str = "\"any\" or a size such as \"4 GiB\" or \"500 MiB\"";
    let DeValue::String(text) = value else { return expected(WHAT, value) };
    if text == "any" {
        return Ok(None);
    }
    let bytes = UNITS.iter().find_map(|(unit, bytes)| {
        let number = text.strip_suffix(unit)?.trim_end();
        let number = number.bytes().all(|byte| byte.is_ascii_digit()).then_some(number)?;
        number.parse::<u64>().ok()?.checked_mul(*bytes)
    });
    match bytes {
        Some(bytes) => Ok(Some(bytes)),
        None => expected(WHAT, value),
    }
}

fn whole(value: &DeValue) -> Option<u64> {
    match value {
        DeValue::Integer(number) => u64::from_str_radix(number.as_str(), number.radix()).ok(),
        _ => None,
    }
}

/// A whole number from the least to the most that there may be, or that there is.
pub(super) fn number<T: TryFrom<u64>, const LEAST: u64, const MOST: u64>(value: &DeValue) -> Read<T> {
    let number = whole(value).filter(|number| (LEAST..=MOST).contains(number));
    match number.and_then(|number| T::try_from(number).ok()) {
        Some(number) => Ok(number),
        None if MOST < u64::MAX => expected(&format!("a whole number from {LEAST} to {MOST}"), value),
        None => expected(&format!("a whole number of at least {LEAST}"), value),
    }
}

/// The version of a kernel, or nothing.
pub(super) fn kernel(value: &DeValue) -> Read<Option<Kernel>> {
    const WHAT: &str = "\"\" or the version of a kernel such as \"5.10\"";
    let DeValue::String(text) = value else { return expected(WHAT, value) };
    match text.parse() {
        _ if text.is_empty() => Ok(None),
        Ok(kernel) => Ok(Some(kernel)),
        Err(_) => expected(WHAT, value),
    }
}

/// One of a few words.
pub(super) fn choice<T: DeserializeOwned>(value: &DeValue) -> Read<T> {
    let text = if let DeValue::String(text) = value { text } else { "" };
    words::parse(text).or_else(|words: words::Unknown| expected(&words.to_string(), value))
}

/// The `when` of a follow-up: `category/name`.
pub(super) fn package(value: &DeValue) -> Read<String> {
    let text = text(value)?;
    let name = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "+_-.".contains(c))
    };
    match text.split_once('/') {
        Some((category, package)) if name(category) && name(package) => Ok(text),
        _ => expected("a package as category/name, without a version", value),
    }
}

/// An element of `clients.build_for`.
pub(super) fn client(value: &DeValue) -> Read<String> {
    let name = text(value)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if !name.is_empty() && !name.starts_with(['.', '-']) && name.chars().all(plain) {
        return Ok(name);
    }
    expected("the name of a client, such as laptop", value)
}

/// An element of `publish.provided`.
pub(super) fn provided(value: &DeValue) -> Read<Provided> {
    let what = "a package as category/name, or one version of it as category/name-version";
    Provided::parse(&text(value)?).ok_or_else(|| mismatch(what, value))
}

/// A duration as it is written in the file.
fn friendly(duration: Duration) -> String {
    let signed = SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX);
    SpanPrinter::new().duration_to_string(&signed)
}

/// How a value is written in the file.
pub(super) trait Shown {
    fn shown(&self) -> Value;
}

/// What is written as serde has it.
macro_rules! as_it_is {
    ($($kind:ty),+ $(,)?) => {
        $(impl crate::config::values::Shown for $kind {
            fn shown(&self) -> toml::Value {
                toml::Value::try_from(self).unwrap_or(toml::Value::String(String::new()))
            }
        })+
    };
}
pub(super) use as_it_is;

as_it_is!(bool, u8, u16, u32, String, PathBuf, Provided);

impl<T: Shown> Shown for Vec<T> {
    fn shown(&self) -> Value {
        self.iter().map(Shown::shown).collect::<Vec<_>>().into()
    }
}

impl Shown for Duration {
    fn shown(&self) -> Value {
        friendly(*self).into()
    }
}

impl Shown for Option<Duration> {
    fn shown(&self) -> Value {
        self.map_or_else(|| "never".into(), friendly).into()
    }
}

impl Shown for Option<u64> {
    fn shown(&self) -> Value {
        let Some(size) = *self else { return "any".into() };
        let unit = UNITS.iter().find(|(_, bytes)| size % bytes == 0).unwrap_or(&UNITS[2]);
        format!("{} {}", size / unit.1, unit.0).into()
    }
}

impl Shown for Option<Kernel> {
    fn shown(&self) -> Value {
        self.map(|kernel| kernel.to_string()).unwrap_or_default().into()
    }
}

impl Shown for Option<SocketAddr> {
    fn shown(&self) -> Value {
        self.map(|address| address.to_string()).unwrap_or_default().into()
    }
}
