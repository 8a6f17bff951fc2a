//! One value of the file or of a variable, turned into what it means, or a reason why not.

use std::path::PathBuf;
use std::time::Duration;

use jiff::fmt::friendly::{SpanParser, SpanPrinter};
use jiff::{SignedDuration, SpanRelativeTo};
use serde::Serialize;
use serde::ser::{SerializeSeq, Serializer};
use toml::de::DeValue;

use crate::portage::command;
use crate::portage::files::elf::Kernel;
use crate::portage::names::atom::Provided;

use super::{Format, Jobs, Level, LoadAverage, OnFailure};

/// A value, or the reason why it is none.
pub(super) type Read<T> = Result<T, String>;

/// `expected <what>, found <value>`.
pub(super) fn mismatch(what: &str, value: &DeValue) -> String {
    format!("expected {what}, found {}", found(value))
}

fn expected<T>(what: &str, value: &DeValue) -> Read<T> {
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

/// A duration of any length, nothing included.
pub(super) fn duration(value: &DeValue) -> Read<Duration> {
    const WHAT: &str = "a duration such as \"24h\", \"10 min\" or \"90s\"";
    let DeValue::String(text) = value else { return expected(WHAT, value) };
    let Ok(span) = SpanParser::new().parse_span(text.as_bytes()) else { return expected(WHAT, value) };
    let Ok(signed) = span.to_duration(SpanRelativeTo::days_are_24_hours()) else {
        return Err(format!("{text:?}: months and years have no fixed length, use weeks, days or hours"));
    };
    Duration::try_from(signed).or_else(|_| expected("a duration that is not negative", value))
}

/// A duration within bounds.
pub(super) fn duration_within(value: &DeValue, least: Duration, most: Duration) -> Read<Duration> {
    let duration = duration(value)?;
    if (least..=most).contains(&duration) {
        return Ok(duration);
    }
    expected(&format!("a duration from {} to {}", friendly(least), friendly(most)), value)
}

const SECOND: Duration = Duration::from_secs(1);
const YEAR: Duration = Duration::from_hours(365 * 24);

/// `cycle.interval`, `build.stall`, the ages of `[prune]`
pub(super) fn interval(value: &DeValue) -> Read<Option<Duration>> {
    match value {
        DeValue::String(text) if text == "never" => Ok(None),
        _ => duration_within(value, SECOND, YEAR).map(Some),
    }
}

/// `prune.history`
pub(super) fn retention(value: &DeValue) -> Read<Option<Duration>> {
    match value {
        DeValue::String(text) if text == "never" => Ok(None),
        _ => duration_within(value, SECOND, 20 * YEAR).map(Some),
    }
}

/// `sync.min_interval`
pub(super) fn min_interval(value: &DeValue) -> Read<Duration> {
    duration_within(value, Duration::ZERO, YEAR)
}

/// An element of `sync.retries`
pub(super) fn retry(value: &DeValue) -> Read<Duration> {
    duration_within(value, SECOND, Duration::from_hours(24))
}

/// `stop.grace`
pub(super) fn grace(value: &DeValue) -> Read<Duration> {
    duration_within(value, SECOND, Duration::from_hours(1))
}

/// The units of a size, the largest first.
const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

/// `prune.log_size`, `prune.emerge_log`, `prune.distfile_size` and `prune.binpkg_size`, in bytes
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

/// `prune.cap`
pub(super) fn percentage(value: &DeValue) -> Read<u8> {
    let number = match value {
        DeValue::Integer(number) => u8::from_str_radix(number.as_str(), number.radix()).ok(),
        _ => None,
    };
    match number.filter(|number| (1..=100).contains(number)) {
        Some(number) => Ok(number),
        None => expected("a whole number from 1 to 100", value),
    }
}

/// `publish.client_kernel`
pub(super) fn kernel(value: &DeValue) -> Read<Option<Kernel>> {
    const WHAT: &str = "\"\" or the version of a kernel such as \"5.10\"";
    let DeValue::String(text) = value else { return expected(WHAT, value) };
    match text.parse() {
        _ if text.is_empty() => Ok(None),
        Ok(kernel) => Ok(Some(kernel)),
        Err(_) => expected(WHAT, value),
    }
}

/// `publish.keep`
pub(super) fn count(value: &DeValue) -> Read<u32> {
    let number = match value {
        DeValue::Integer(number) => u32::from_str_radix(number.as_str(), number.radix()).ok(),
        _ => None,
    };
    match number.filter(|number| *number > 0) {
        Some(number) => Ok(number),
        None => expected("a whole number of at least 1", value),
    }
}

/// `build.jobs`
pub(super) fn jobs(value: &DeValue) -> Read<Jobs> {
    const WHAT: &str = "\"auto\" or a whole number of at least 1";
    match value {
        DeValue::String(text) if text == "auto" => Ok(Jobs::Auto),
        DeValue::Integer(number) => match u32::from_str_radix(number.as_str(), number.radix()) {
            Ok(jobs) if jobs > 0 => Ok(Jobs::Exactly(jobs)),
            _ => expected(WHAT, value),
        },
        _ => expected(WHAT, value),
    }
}

/// `build.load_average`
pub(super) fn load_average(value: &DeValue) -> Read<LoadAverage> {
    const WHAT: &str = "\"auto\", \"none\" or a number above 0";
    let number = match value {
        DeValue::String(text) if text == "auto" => return Ok(LoadAverage::Auto),
        DeValue::String(text) if text == "none" => return Ok(LoadAverage::None),
        DeValue::Integer(number) if number.radix() == 10 => number.as_str().parse::<f64>().ok(),
        DeValue::Float(number) => number.as_str().parse::<f64>().ok(),
        _ => None,
    };
    match number {
        Some(limit) if limit.is_finite() && limit > 0.0 => Ok(LoadAverage::Limit(limit)),
        _ => expected(WHAT, value),
    }
}

/// One of a few words.
pub(super) fn choice<T: Copy>(value: &DeValue, words: &[(&str, T)]) -> Read<T> {
    if let DeValue::String(text) = value
        && let Some((_, meaning)) = words.iter().find(|(word, _)| word == text)
    {
        return Ok(*meaning);
    }
    let names: Vec<_> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
    expected(&names.join(" or "), value)
}

/// `sync.on_failure`
pub(super) fn on_failure(value: &DeValue) -> Read<OnFailure> {
    choice(value, &[("continue", OnFailure::Continue), ("pause", OnFailure::Pause)])
}

/// `log.level`
pub(super) fn level(value: &DeValue) -> Read<Level> {
    choice(
        value,
        &[
            ("error", Level::Error),
            ("warn", Level::Warn),
            ("info", Level::Info),
            ("debug", Level::Debug),
            ("trace", Level::Trace),
        ],
    )
}

/// `log.format`
pub(super) fn format(value: &DeValue) -> Read<Format> {
    choice(value, &[("text", Format::Text), ("json", Format::Json)])
}

/// An element of `build.targets`
pub(super) fn target(value: &DeValue) -> Read<String> {
    let text = word(value)?;
    if text.starts_with('-') {
        return Err(format!("{text:?} is an option, not a set or an atom; it belongs in args"));
    }
    if text.contains(char::is_whitespace) {
        return expected("one set or atom", value);
    }
    Ok(text)
}

/// An element of `build.args`; what gbsup decides itself is refused.
pub(super) fn argument(value: &DeValue) -> Read<String> {
    let text = word(value)?;
    match reserved(&text) {
        Some(reason) => Err(format!("{text:?} {reason}")),
        None => Ok(text),
    }
}

/// The name of a variable that builds are to get. Never one of gbsup's own: a URL in it is a secret.
pub(super) fn variable(value: &DeValue) -> Read<String> {
    let name = word(value)?;
    if !command::is_name(&name) {
        return Err(format!("expected the name of a variable, found {name:?}"));
    }
    if name.starts_with("GBSUP_") {
        return Err(format!("{name} is gbsup's own, and whatever a build gets is in every package"));
    }
    Ok(name)
}

/// Why an argument of emerge cannot be the user's.
fn reserved(argument: &str) -> Option<&'static str> {
    const JOBS: &str = "is decided by gbsup; set [build] jobs";
    const LOAD: &str = "is decided by gbsup; set [build] load_average";
    const KEEP: &str = "is decided by gbsup; set [build] keep_going";
    const ASKS: &str = "would wait for an answer that nobody gives";
    const IDLE: &str = "would build nothing";
    const MUTE: &str = "would hide what gbsup reads progress and failures from";
    const OWN: &str = "is decided by gbsup";
    if let Some(long) = argument.strip_prefix("--") {
        return match long.split('=').next().unwrap_or(long) {
            "jobs" => Some(JOBS),
            "load-average" => Some(LOAD),
            "keep-going" => Some(KEEP),
            "ask" | "ask-enter-invalid" | "alert" => Some(ASKS),
            "pretend" | "fetchonly" | "fetch-all-uri" | "sync" | "depclean" | "unmerge" | "prune"
            | "clean" | "rage-clean" | "deselect" | "config" | "info" | "search" | "searchdesc"
            | "list-sets" | "metadata" | "regen" | "check-news" | "status" | "version" | "help" | "moo" => {
                Some(IDLE)
            }
            "quiet" => Some(MUTE),
            "color" | "resume" | "skipfirst" | "with-bdeps" => Some(OWN),
            _ => None,
        };
    }
    // emerge takes short options in bundles: -pv is -p and -v. What follows an X is its value.
    argument.strip_prefix('-')?.chars().take_while(|letter| *letter != 'X').find_map(|letter| match letter {
        'j' => Some(JOBS),
        'l' => Some(LOAD),
        'a' | 'A' => Some(ASKS),
        'p' | 'f' | 'F' | 'c' | 'C' | 'P' | 's' | 'S' | 'h' | 'V' | 'W' => Some(IDLE),
        'q' => Some(MUTE),
        'r' => Some(OWN),
        _ => None,
    })
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

/// An element of `publish.provided`.
pub(super) fn provided(value: &DeValue) -> Read<Provided> {
    let what = "a package as category/name, or one version of it as category/name-version";
    Provided::parse(&text(value)?).ok_or_else(|| mismatch(what, value))
}

/// A duration as it is written in the file.
pub(super) fn friendly(duration: Duration) -> String {
    let signed = SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX);
    SpanPrinter::new().duration_to_string(&signed)
}

pub(super) fn serialize_duration<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&friendly(*duration))
}

pub(super) fn serialize_durations<S: Serializer>(durations: &[Duration], to: S) -> Result<S::Ok, S::Error> {
    let mut list = to.serialize_seq(Some(durations.len()))?;
    for duration in durations {
        list.serialize_element(&friendly(*duration))?;
    }
    list.end()
}

#[expect(clippy::ref_option, reason = "serde passes fields by reference")]
pub(super) fn serialize_interval<S: Serializer>(
    interval: &Option<Duration>,
    to: S,
) -> Result<S::Ok, S::Error> {
    to.serialize_str(&interval.map_or_else(|| "never".into(), friendly))
}

#[expect(clippy::ref_option, reason = "serde passes fields by reference")]
pub(super) fn serialize_size<S: Serializer>(size: &Option<u64>, to: S) -> Result<S::Ok, S::Error> {
    let Some(size) = *size else { return to.serialize_str("any") };
    let unit = UNITS.iter().find(|(_, bytes)| size % bytes == 0).unwrap_or(&UNITS[2]);
    to.serialize_str(&format!("{} {}", size / unit.1, unit.0))
}

#[expect(clippy::ref_option, reason = "serde passes fields by reference")]
pub(super) fn serialize_kernel<S: Serializer>(kernel: &Option<Kernel>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&kernel.map(|kernel| kernel.to_string()).unwrap_or_default())
}

impl Serialize for Jobs {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => to.serialize_str("auto"),
            Self::Exactly(jobs) => to.serialize_u32(*jobs),
        }
    }
}

impl Serialize for LoadAverage {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => to.serialize_str("auto"),
            Self::None => to.serialize_str("none"),
            Self::Limit(limit) => to.serialize_f64(*limit),
        }
    }
}
