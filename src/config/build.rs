//! `[build]`: what is built, and how hard the machine works at it.

use toml::Value;
use toml::de::DeValue;

use super::values::{Read, Shown, expected, number, word};
use crate::portage::command;

/// `build.jobs`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Jobs {
    /// One per CPU.
    #[default]
    Auto,
    /// That many; at least 1.
    Exactly(u32),
}

impl Jobs {
    /// The number, on a machine with so many CPUs.
    pub(crate) fn on(self, cpus: u32) -> u32 {
        match self {
            Self::Auto => cpus.max(1),
            Self::Exactly(jobs) => jobs,
        }
    }
}

/// `build.load_average`
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum LoadAverage {
    /// Two above the number of CPUs. One package alone keeps the load at that number, so a limit of
    /// just that many makes each further one wait for it (`_emerge/Scheduler.py:_can_add_job`).
    #[default]
    Auto,
    /// No limit.
    None,
    /// That much; above 0.
    Limit(f64),
}

impl LoadAverage {
    /// The limit, on a machine with so many CPUs.
    pub(crate) fn on(self, cpus: u32) -> Option<f64> {
        match self {
            Self::Auto => Some(f64::from(cpus.max(1).saturating_add(2))),
            Self::None => None,
            Self::Limit(limit) => Some(limit),
        }
    }
}

impl Shown for Jobs {
    fn shown(&self) -> Value {
        match self {
            Self::Auto => "auto".into(),
            Self::Exactly(jobs) => (*jobs).into(),
        }
    }
}

impl Shown for LoadAverage {
    fn shown(&self) -> Value {
        match self {
            Self::Auto => "auto".into(),
            Self::None => "none".into(),
            Self::Limit(limit) => (*limit).into(),
        }
    }
}

/// `build.jobs`
pub(super) fn jobs(value: &DeValue) -> Read<Jobs> {
    match value {
        DeValue::String(text) if text == "auto" => Ok(Jobs::Auto),
        _ => match number::<_, 1, { u64::MAX }>(value) {
            Ok(jobs) => Ok(Jobs::Exactly(jobs)),
            Err(_) => expected("\"auto\" or a whole number of at least 1", value),
        },
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
