//! Several builders beside each other: what each says of itself, and what is known of those that say nothing.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::bounds::cut;
use super::status::{CycleInfo, Mode, Progress, ReleaseInfo, SCHEMA, Status, Why};

/// The version of the format of [`Farm`]; it changes when a key changes its meaning.
pub const FARM_SCHEMA: u32 = 1;
/// Bytes of a sentence that another builder says.
const SENTENCE: usize = 600;
/// Bytes of a word of it.
const WORD: usize = 60;

/// The builders that are shown together, this one first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Farm {
    /// [`FARM_SCHEMA`].
    pub schema: u32,
    /// In the order of the configuration.
    pub builders: Vec<Member>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// What it is called here: its host, with the port where it is not the usual one.
    pub name: String,
    /// Where its pages are; absent for the builder that tells all this.
    pub url: Option<String>,
    /// How it is, or was when it was heard last; absent when it never was.
    pub status: Option<Brief>,
    /// When that was; absent also for the builder that tells all this.
    pub heard: Option<Timestamp>,
    /// Why it is not heard now; absent when it is.
    pub away: Option<Away>,
}

/// A builder that is not heard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Away {
    /// When it was first asked in vain.
    pub since: Timestamp,
    /// What happened the last time, in one sentence without a full stop.
    pub why: String,
}

/// What of a status is shown in a table of several: the keys mean what they mean there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "see `Status`")]
pub struct Brief {
    pub version: String,
    pub state: Mode,
    pub step: String,
    pub headline: String,
    pub since: Timestamp,
    pub cycle: Option<CycleInfo>,
    pub progress: Progress,
    pub pause: Option<Held>,
    pub release: Option<ReleaseInfo>,
}

/// What of a pause is shown there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Who holds it.
    pub why: Why,
}

impl Member {
    /// The builder that tells of the others, as far as it is known.
    #[must_use]
    pub fn own(name: &str, status: Option<&Status>) -> Self {
        Self { name: name.to_owned(), url: None, status: status.map(Brief::of), heard: None, away: None }
    }
}

impl Brief {
    /// Of this status.
    #[must_use]
    pub fn of(status: &Status) -> Self {
        Self {
            version: status.version.clone(),
            state: status.state,
            step: status.step.clone(),
            headline: status.headline.clone(),
            since: status.since,
            cycle: status.cycle.clone(),
            progress: status.progress,
            pause: status.pause.as_ref().map(|pause| Held { why: pause.why }),
            release: status.release.clone(),
        }
    }

    /// Whether it waits for a person.
    #[must_use]
    pub fn needs_a_person(&self) -> bool {
        match (self.state, self.pause) {
            (Mode::Degraded, _) | (Mode::Paused, None | Some(Held { why: Why::Failure })) => true,
            (Mode::Paused, Some(Held { why: Why::Operator }))
            | (Mode::Starting | Mode::Running | Mode::Waiting | Mode::Stopping, _) => false,
        }
    }

    /// Reads the status of a builder of whatever version, which may be none at all. Keys that are not known are passed over, and texts
    /// are cut.
    ///
    /// # Errors
    /// In what way it is none, in one sentence that has no word of it.
    pub fn read(json: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Format {
            schema: u32,
        }
        let none = || "what answers there is no builder: it sends no status".to_owned();
        let Format { schema } = serde_json::from_slice(json).map_err(|_| none())?;
        if schema > SCHEMA {
            return Err(format!(
                "it is newer: its status has the format {schema}, and {SCHEMA} is known here"
            ));
        }
        let mut brief: Self = serde_json::from_slice(json).map_err(|_| none())?;
        brief.shorten();
        Ok(brief)
    }

    fn shorten(&mut self) {
        shorten(&mut self.headline, SENTENCE);
        for word in [&mut self.version, &mut self.step] {
            shorten(word, WORD);
        }
        if let Some(cycle) = &mut self.cycle {
            shorten(&mut cycle.reason, WORD);
        }
        if let Some(release) = &mut self.release {
            shorten(&mut release.id, WORD);
            release.again = None;
        }
    }
}

impl Farm {
    /// Those of a [`Farm`] in JSON that are away, with texts that are cut; none of what is not understood.
    #[must_use]
    pub fn read_away(json: &[u8]) -> Vec<Member> {
        let farm: Option<Self> = serde_json::from_slice(json).ok();
        let known = farm.filter(|farm| farm.schema <= FARM_SCHEMA);
        let mut away = known.map(|farm| farm.builders).unwrap_or_default();
        away.retain(|member| member.away.is_some());
        for member in &mut away {
            shorten(&mut member.name, SENTENCE);
            member.url.iter_mut().for_each(|url| shorten(url, SENTENCE));
            member.away.iter_mut().for_each(|away| shorten(&mut away.why, SENTENCE));
            member.status.iter_mut().for_each(Brief::shorten);
        }
        away
    }
}

fn shorten(text: &mut String, bytes: usize) {
    *text = cut(text, bytes).into_owned();
}

/// What whoever asks the others tells, a line of JSON each. `peer` counts those of the configuration from 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "heard", rename_all = "kebab-case")]
pub enum Heard {
    /// All of them are being asked.
    Begun,
    /// Where this one is: addresses with ports. None: it is this builder itself.
    Found {
        /// Which.
        peer: usize,
        /// In order, each once.
        addresses: Vec<String>,
    },
    /// It is not known where this one is.
    Lost {
        /// Which.
        peer: usize,
        /// In one sentence.
        why: String,
    },
    /// How the one at this address is, or why that is not known.
    Said {
        /// Which.
        peer: usize,
        /// One of those that were found.
        address: String,
        /// It.
        answer: Result<Box<Brief>, String>,
    },
    /// What the server of this builder, which was asked before, knows of those that are away.
    Knew {
        /// They.
        away: Vec<Member>,
    },
    /// Nothing more comes of this time.
    Done,
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = r#"{"schema":1,"version":"9","state":"waiting","step":"wait","headline":"waiting: H","since":"2026-11-22T10:00:00Z",
        "cycle":null,"progress":{"done":1,"total":2,"failed":0,"binary":0,"source":1,"eta":null},"release":null,"new":{"a":[1]}}"#;

    #[test]
    fn a_status_of_any_version_is_read_as_far_as_it_is_understood() {
        let brief = Brief::read(STATUS.as_bytes()).unwrap();
        assert_eq!(
            (brief.state, brief.progress.total, brief.headline.as_str()),
            (Mode::Waiting, 2, "waiting: H")
        );
        let long =
            STATUS.replace('H', &"é".repeat(100_000)).replace("\"9\"", &format!("{:?}", "v".repeat(100_000)));
        let brief = Brief::read(long.as_bytes()).unwrap();
        assert!(brief.headline.len() <= SENTENCE + 3 && brief.version.len() <= WORD + 3);
        let newer = STATUS.replace("\"schema\":1", "\"schema\":2");
        assert_eq!(
            Brief::read(newer.as_bytes()).unwrap_err(),
            "it is newer: its status has the format 2, and 1 is known here"
        );
        let nested = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        for other in [
            "",
            "null",
            "[]",
            "<html>",
            "{\"schema\":1}",
            "{\"schema\":-1}",
            &nested,
            &STATUS.replace("waiting\",", "asleep\","),
            &STATUS.replace("\"done\":1", "\"done\":-1"),
            &STATUS.replace("2026-11-22T10:00:00Z", "yesterday"),
        ] {
            let why = Brief::read(other.as_bytes()).unwrap_err();
            assert_eq!(why, "what answers there is no builder: it sends no status", "{other}");
        }
        assert!(Brief::read(&[0xff; 100]).is_err());
    }

    #[test]
    fn of_what_a_server_knows_those_are_taken_that_are_away() {
        let away = |why: &str| {
            format!(
                r#"{{"schema":1,"builders":[{{"name":"here","url":null,"status":{STATUS},"heard":null,"away":null}},
                {{"name":"desktop","url":"http://desktop","status":{STATUS},"heard":"2026-11-22T10:00:00Z",
                "away":{{"since":"2026-11-22T10:01:00Z","why":"{why}"}}}}]}}"#
            )
        };
        let read = Farm::read_away(away("refused").as_bytes());
        let [one] = read.as_slice() else { panic!("{read:?}") };
        assert_eq!((one.name.as_str(), one.heard.is_some()), ("desktop", true));
        let long = Farm::read_away(away(&"x".repeat(100_000)).as_bytes());
        assert!(long[0].away.as_ref().unwrap().why.len() <= SENTENCE + 3);
        let newer = away("refused").replacen("\"schema\":1", "\"schema\":2", 1);
        for other in ["", "[]", "{}", "<html>", STATUS, &newer] {
            assert_eq!(Farm::read_away(other.as_bytes()), [], "{other}");
        }
    }
}
