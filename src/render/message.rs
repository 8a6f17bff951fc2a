//! A message to people, as it leaves: JSON, variables of a command, and what chat services are posted.
//!
//! Sources of the formats: `docs.ntfy.sh/publish` ("Publish as JSON"), `api.slack.com/messaging/webhooks` and
//! `api.slack.com/reference/surfaces/formatting` (escaping), `discord.com/developers/docs/resources/webhook`
//! ("Execute Webhook").

use http::Uri;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::clean;
use super::fit::fit;
use crate::config::{News, Posted, Url};
use crate::model::notice::{Note, Urgency};
use crate::model::status::Status;

/// The version of the JSON format; it changes when a key changes its meaning.
const SCHEMA: u32 = 1;
/// ntfy makes a file of what is longer than 4096 bytes, Discord refuses more than 2000 characters, and Slack cuts
/// at some place of its own. In bytes, title and all the rest not counted.
const LONGEST: usize = 1800;
/// How long what is posted as JSON may be: servers refuse long bodies, many from 1 MiB on.
const POSTED: usize = 256 << 10;

/// An HTTP request: POST with a body of JSON, GET without one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Request {
    /// Where to; a secret.
    pub url: String,
    /// What.
    pub body: Option<String>,
}

/// The message and the whole status, as a program reads it.
pub(crate) fn message(note: &Note, status: Option<&Status>) -> String {
    whole(note, status).to_string()
}

fn whole(note: &Note, status: Option<&Status>) -> Value {
    json!({
        "schema": SCHEMA,
        "kind": note.kind,
        "urgency": note.urgency,
        "title": clean(&note.title),
        "text": text(note),
        "status": status,
    })
}

/// The message as variables of a command, as a shell script likes it.
pub(crate) fn variables(note: &Note) -> Vec<(String, String)> {
    let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    vec![
        variable("GBSUP_KIND", &note.kind.to_string()),
        variable("GBSUP_URGENCY", &note.urgency.to_string()),
        variable("GBSUP_TITLE", &clean(&note.title)),
        variable("GBSUP_TEXT", &text(note)),
    ]
}

/// The message as this URL understands it.
pub(crate) fn request(url: &Url, format: Posted, note: &Note, status: Option<&Status>) -> Request {
    let uri: Uri = url.secret().parse().unwrap_or_default();
    let (title, text) = (clean(&note.title).into_owned(), cut(&text(note)).to_owned());
    let mut target = url.secret().to_owned();
    let body = match guess(format, &uri) {
        Posted::Ntfy => {
            let (root, topic) = ntfy(&uri);
            target = root;
            json!({ "topic": topic, "title": title, "message": text, "priority": priority(note.urgency), "tags": [tag(note.kind)] })
        }
        Posted::Slack => {
            json!({ "text": format!("*{}*\n```{}```", escaped(&title), escaped(&fenced(&text))) })
        }
        // Whatever an ebuild says, nobody is mentioned.
        Posted::Discord => {
            json!({ "content": format!("**{title}**\n```\n{}\n```", fenced(&text)), "allowed_mentions": { "parse": [] } })
        }
        Posted::Json | Posted::Auto => fit(whole(note, status), POSTED),
    };
    Request { url: target, body: Some(body.to_string()) }
}

/// What a host is known to understand.
fn guess(format: Posted, uri: &Uri) -> Posted {
    if format != Posted::Auto {
        return format;
    }
    match (uri.host().unwrap_or_default(), uri.path()) {
        ("discord.com" | "discordapp.com" | "ptb.discord.com" | "canary.discord.com", path)
            if path.starts_with("/api/") =>
        {
            Posted::Discord
        }
        ("hooks.slack.com", _) => Posted::Slack,
        (host, _) if host == "ntfy.sh" || host.starts_with("ntfy.") => Posted::Ntfy,
        _ => Posted::Json,
    }
}

/// The server and the topic of a topic's URL. JSON goes to the server itself; headers could not hold
/// every title.
fn ntfy(uri: &Uri) -> (String, String) {
    let (root, topic) = uri.path().trim_end_matches('/').rsplit_once('/').unwrap_or_default();
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let (scheme, authority) = (uri.scheme_str().unwrap_or_default(), uri.authority());
    let authority = authority.map(ToString::to_string).unwrap_or_default();
    (format!("{scheme}://{authority}{root}/{query}"), topic.to_owned())
}

/// From 1 to 5; 3 is the default.
fn priority(urgency: Urgency) -> u8 {
    match urgency {
        Urgency::Low => 2,
        Urgency::Normal => 3,
        Urgency::High => 4,
    }
}

/// A word that ntfy shows as a picture.
fn tag(kind: News) -> &'static str {
    match kind {
        News::Paused => "warning",
        News::Recovered => "white_check_mark",
        News::Stale => "hourglass",
        News::Crashed => "boom",
        News::Finished | News::Published => "package",
        News::Attention => "bell",
        News::Drift => "hammer",
        News::Test => "wave",
    }
}

/// Slack's three characters, and no others.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Text that does not end the block of code it stands in.
fn fenced(text: &str) -> String {
    text.replace("```", "'''")
}

fn text(note: &Note) -> String {
    note.text.lines().map(clean).collect::<Vec<_>>().join("\n")
}

/// The beginning that is short enough.
fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(LONGEST)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(text: &str) -> Note {
        let title = "gbsup: paused, a/b-1 failed".to_owned();
        Note { kind: News::Paused, urgency: Urgency::High, title, text: text.to_owned() }
    }

    fn posted(url: &str, format: Posted, text: &str) -> (String, Value) {
        let request = request(&Url::try_from(url).unwrap(), format, &note(text), None);
        (request.url, serde_json::from_str(&request.body.unwrap()).unwrap())
    }

    #[test]
    fn each_service_gets_what_it_understands() {
        let (url, body) = posted("https://ntfy.sh/my-topic?auth=abc", Posted::Auto, "no luck\n1 < 2");
        assert_eq!(url, "https://ntfy.sh/?auth=abc");
        let wanted = json!({
            "topic": "my-topic", "title": "gbsup: paused, a/b-1 failed", "message": "no luck\n1 < 2", "priority": 4, "tags": ["warning"]
        });
        assert_eq!(body, wanted);

        let (url, body) = posted("https://hooks.slack.com/services/T/B/x", Posted::Auto, "a & b\n<!channel>");
        assert_eq!(url, "https://hooks.slack.com/services/T/B/x");
        assert_eq!(
            body,
            json!({ "text": "*gbsup: paused, a/b-1 failed*\n```a &amp; b\n&lt;!channel&gt;```" })
        );

        let (_, body) = posted("https://discord.com/api/webhooks/1/x", Posted::Auto, "@everyone ``` out");
        assert_eq!(
            body,
            json!({ "content": "**gbsup: paused, a/b-1 failed**\n```\n@everyone ''' out\n```", "allowed_mentions": { "parse": [] } })
        );

        let (_, body) = posted("https://example.org/hook", Posted::Auto, "x");
        assert_eq!(
            (&body["schema"], &body["kind"], &body["urgency"]),
            (&json!(1), &json!("paused"), &json!("high"))
        );
    }

    #[test]
    fn a_format_that_was_asked_for_wins() {
        for (format, key) in [
            (Posted::Ntfy, "topic"),
            (Posted::Slack, "text"),
            (Posted::Discord, "content"),
            (Posted::Json, "schema"),
        ] {
            let (_, body) = posted("http://10.0.0.1:8080/a/topic", format, "x");
            assert!(body.get(key).is_some(), "{body}");
        }
        assert_eq!(posted("http://h:8080/a/topic/", Posted::Ntfy, "x").0, "http://h:8080/a/");
        assert_eq!(posted("http://h/topic", Posted::Ntfy, "x").1["topic"], "topic");
    }

    #[test]
    fn what_is_long_is_cut_where_it_is_refused() {
        let long = "ä".repeat(3000);
        let (_, body) = posted("https://discord.com/api/webhooks/1/x", Posted::Auto, &long);
        let content = body["content"].as_str().unwrap();
        assert!(content.chars().count() < 2000 && content.ends_with("ä\n```"), "{content}");
        let (_, body) = posted("https://ntfy.sh/t", Posted::Auto, &long);
        assert!(body["message"].as_str().unwrap().len() < 4096);
        let (_, body) = posted("https://example.org/", Posted::Auto, &long);
        assert_eq!(body["text"].as_str(), Some(long.as_str()), "programs get all of it");
    }

    #[test]
    fn a_command_gets_lines_without_tricks() {
        let variables = variables(&note("first\u{1b}[31m\nsecond\0"));
        let text = &variables.iter().find(|(name, _)| name == "GBSUP_TEXT").unwrap().1;
        assert_eq!(text, "first\\x1b[31m\nsecond\\x00");
    }
}
