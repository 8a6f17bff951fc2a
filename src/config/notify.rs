//! `[notify]`: who is told what, and how.

use std::fmt;

use http::Uri;
use serde::{Deserialize, Serialize};
use toml::Value;
use toml::de::DeValue;

use super::values::{self, Read, Shown};
use crate::words::words;

words!(News);

/// What people are told unless the configuration says otherwise.
pub(super) const EVENTS: &[News] =
    &[News::Paused, News::Recovered, News::Stale, News::Crashed, News::Attention, News::Drift];

/// What a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum News {
    /// A failure holds the builder, and people do not know of it.
    Paused,
    /// What people know to have failed does so no longer.
    Recovered,
    /// The builder goes on, but with an old tree, because syncing fails.
    Stale,
    /// The supervisor died, and PID 1 started it again.
    Crashed,
    /// A cycle that merged packages is done.
    Finished,
    /// Clients are offered another release.
    Published,
    /// Something waits for a person that stops nothing.
    Attention,
    /// A client would compile what it would not have compiled before.
    Drift,
    /// Somebody tries whether messages arrive. Not one of the words of `notify.events`.
    #[serde(skip_deserializing)]
    Test,
}

/// `notify.webhook_format`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Posted {
    /// What the host is known to understand, else JSON.
    #[default]
    Auto,
    /// A topic of an ntfy server.
    Ntfy,
    /// An incoming webhook of Slack, Mattermost and others.
    Slack,
    /// A webhook of a Discord channel.
    Discord,
    /// What the command gets: the message and the whole status.
    Json,
}

/// A URL of which at least a part is a secret: it is never shown, but for its host.
#[derive(Clone, PartialEq, Eq)]
pub struct Url(String);

impl Url {
    /// The whole of it, to be requested.
    pub(crate) fn secret(&self) -> &str {
        &self.0
    }

    /// What may be shown.
    fn shown(&self) -> String {
        let uri: Uri = self.0.parse().unwrap_or_default();
        format!("{}://{}/...", uri.scheme_str().unwrap_or_default(), uri.host().unwrap_or_default())
    }
}

impl TryFrom<&str> for Url {
    /// Why it is none; never a part of it.
    type Error = &'static str;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        if !text.starts_with("https://") && !text.starts_with("http://") {
            return Err("it does not begin with https:// or http://");
        }
        let Ok(uri) = text.parse::<Uri>() else {
            return Err("it has a character that a URL cannot have, or no host");
        };
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(
                "a name before the host is not sent; give it as the service wants it in the path or the query",
            );
        }
        if uri.host().is_none_or(str::is_empty) {
            return Err("it has no host");
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Url({})", self.shown())
    }
}

impl Shown for Option<Url> {
    fn shown(&self) -> Value {
        self.as_ref().map(Url::shown).unwrap_or_default().into()
    }
}

/// `notify.webhook`, `notify.heartbeat`
pub(super) fn url(value: &DeValue) -> Read<Option<Url>> {
    // What is wrong with it is said without it.
    let text = values::text(value).map_err(|_| "expected a URL in quotes".to_owned())?;
    if text.is_empty() {
        return Ok(None);
    }
    Url::try_from(text.as_str()).map(Some).map_err(|reason| format!("expected a URL: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{check, show};

    #[test]
    fn a_url_is_checked_and_never_shown() {
        for good in ["https://ntfy.sh/a", "http://127.0.0.1:8080", "https://h/x?auth=pass"] {
            let url = Url::try_from(good).unwrap();
            assert_eq!(url.secret(), good);
            let shown = format!("{url:?}");
            assert!(!shown.contains("pass"), "{shown}");
        }
        for bad in [
            "ntfy.sh/secret",
            "ftp://h/secret",
            "https://",
            "https:///secret",
            "mailto:secret",
            "a secret",
            "https://secret@h/",
        ] {
            let reason = Url::try_from(bad).unwrap_err();
            assert!(!reason.contains("secret"), "{reason}");
        }
    }

    const WRONG: &str = "[notify]
webhook = \"ntfy.sh/secret\"
heartbeat = 7
command = \"mail root\"
events = [\"paused\", \"loud\"]
webhook_format = \"irc\"
cooldown = \"2 days\"
timeout = \"0s\"
name = \"\"
";

    #[test]
    fn what_is_wrong_is_said_without_the_secret() {
        let problems = check(Some(("f", WRONG)), std::iter::empty()).unwrap_err().to_string();
        let problems: Vec<_> = problems.lines().collect();
        assert_eq!(
            problems,
            [
                "f:2: [notify] webhook: expected a URL: it does not begin with https:// or http://",
                "f:3: [notify] heartbeat: expected a URL in quotes",
                "f:4: [notify] command: expected a list in brackets, found \"mail root\"",
                "f:5: [notify] events: expected \"paused\" or \"recovered\" or \"stale\" or \"crashed\" or \"finished\" or \"published\" or \"attention\" or \"drift\", found \"loud\"",
                "f:6: [notify] webhook_format: expected \"auto\" or \"ntfy\" or \"slack\" or \"discord\" or \"json\", found \"irc\"",
                "f:7: [notify] cooldown: expected a duration from 0s to 24h, found \"2 days\"",
                "f:8: [notify] timeout: expected a duration from 1s to 10m, found \"0s\"",
                "f:9: [notify] name: expected text, found none",
            ]
        );
    }

    #[test]
    fn what_is_in_effect_is_shown_without_the_secret() {
        let env = [("GBSUP_NOTIFY_WEBHOOK".to_owned(), "https://hooks.slack.com/services/secret".to_owned())];
        let shown = show(None, env.into_iter()).unwrap();
        assert!(shown.contains("webhook = \"https://hooks.slack.com/...\""), "{shown}");
        assert!(shown.contains("heartbeat = \"\"") && !shown.contains("secret"), "{shown}");
    }
}
