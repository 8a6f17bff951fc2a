//! What is known of other builders, from what whoever asks them tells. They are asked only while somebody looks, so that
//! everything is as old as the last look.

use jiff::{SignedDuration, Timestamp};

use crate::config::Peer;
use crate::model::farm::{Away, Brief, FARM_SCHEMA, Farm, Heard, Member};

/// An address that a name has no longer is shown for so long.
const GONE: SignedDuration = SignedDuration::from_hours(1);
/// No more addresses are kept of a name.
const ADDRESSES: usize = 256;

/// What is known of all of them.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    peers: Vec<Known>,
    /// Those that were away before, as somebody knows it who was there.
    knew: Vec<Member>,
}

/// What is known of one that is configured.
#[derive(Clone, Debug)]
struct Known {
    peer: Peer,
    /// Where it is looked for, nothing has been found yet.
    waits: bool,
    /// It is this builder itself.
    own: bool,
    /// Why it was not found; of one that never was.
    lost: Option<Away>,
    places: Vec<Place>,
}

/// A builder at an address.
#[derive(Clone, Debug)]
struct Place {
    address: String,
    /// It is being asked.
    waits: bool,
    said: Option<(Brief, Timestamp)>,
    away: Option<Away>,
}

impl Place {
    fn new(address: String) -> Self {
        Self { address, waits: true, said: None, away: None }
    }

    fn leaves(&mut self, now: Timestamp, why: String) {
        self.waits = false;
        self.away = Some(away(self.away.take(), now, why));
    }
}

/// Away, since then or as long as it was.
fn away(before: Option<Away>, now: Timestamp, why: String) -> Away {
    Away { since: before.map_or(now, |away| away.since), why }
}

impl Memory {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(peers: &[Peer]) -> Self {
        let known = |peer: &Peer| Known {
            peer: peer.clone(),
            waits: false,
            own: false,
            lost: None,
            places: Vec::new(),
        };
        Self { peers: peers.iter().map(known).collect(), knew: Vec::new() }
    }

    /// Takes in what was heard. What is about none of them is passed over.
    pub fn take(&mut self, heard: Heard, now: Timestamp) {
        match heard {
            Heard::Begun => self.waits(true),
            Heard::Done => self.waits(false),
            Heard::Knew { away } => self.knew = away,
            Heard::Found { peer, addresses } => {
                if let Some(known) = self.peers.get_mut(peer) {
                    known.found(addresses, now);
                }
            }
            Heard::Lost { peer, why } => {
                if let Some(known) = self.peers.get_mut(peer) {
                    known.lost(&why, now);
                }
            }
            Heard::Said { peer, address, answer } => {
                let places = self.peers.get_mut(peer).map(|known| known.places.as_mut_slice());
                let place = places.unwrap_or_default().iter_mut().find(|place| place.address == address);
                match (place, answer) {
                    (Some(place), Ok(brief)) => {
                        (place.waits, place.away) = (false, None);
                        place.said = Some((*brief, now));
                    }
                    (Some(place), Err(why)) => place.leaves(now, why),
                    (None, _) => {}
                }
            }
        }
    }

    fn waits(&mut self, waits: bool) {
        for known in &mut self.peers {
            known.waits = waits;
            known.places.iter_mut().for_each(|place| place.waits = waits);
        }
    }

    /// Whether all have answered that can be expected to: one that was away the last time is waited for by nobody.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.peers.iter().all(|known| {
            let found = !known.waits || known.is_away();
            found && known.places.iter().all(|place| !place.waits || place.away.is_some())
        })
    }

    /// All of them, after the builder that tells it, if there is one.
    #[must_use]
    pub fn farm(&self, own: Option<Member>) -> Farm {
        let others = self.peers.iter().flat_map(Known::members).map(|member| self.remembered(member));
        Farm { schema: FARM_SCHEMA, builders: own.into_iter().chain(others).collect() }
    }

    /// One that is away, with what was known of it before this was asked at all.
    fn remembered(&self, mut member: Member) -> Member {
        let Some(away) = &mut member.away else { return member };
        let Some(before) = self.knew.iter().find(|before| before.url == member.url) else { return member };
        away.since = before.away.iter().map(|before| before.since).fold(away.since, Timestamp::min);
        if member.status.is_none() {
            (member.status, member.heard) = (before.status.clone(), before.heard);
        }
        member
    }
}

impl Known {
    fn is_away(&self) -> bool {
        self.lost.is_some() || self.own || self.places.iter().any(|place| place.away.is_some())
    }

    fn found(&mut self, mut addresses: Vec<String>, now: Timestamp) {
        addresses.truncate(ADDRESSES);
        self.waits = false;
        self.lost = None;
        let itself = addresses.is_empty();
        // One builder that moved is the same builder.
        if let ([place], [address]) = (self.places.as_mut_slice(), addresses.as_slice()) {
            place.address.clone_from(address);
        }
        let gone = |place: &Place| !addresses.contains(&place.address);
        for place in self.places.iter_mut().filter(|place| gone(place)) {
            place.leaves(now, format!("{} does not lead to it any more", self.peer.host()));
        }
        let forgotten = |place: &Place| {
            gone(place) && place.away.as_ref().is_some_and(|away| now.duration_since(away.since) > GONE)
        };
        self.places.retain(|place| !forgotten(place));
        for address in addresses {
            match self.places.iter_mut().find(|place| place.address == address) {
                Some(place) => place.waits = true,
                None => self.places.push(Place::new(address)),
            }
        }
        if self.places.len() > ADDRESSES {
            self.places.retain(|place| place.away.is_none() || place.waits);
        }
        self.own = itself && self.places.is_empty();
    }

    fn lost(&mut self, why: &str, now: Timestamp) {
        self.waits = false;
        self.own = false;
        if self.places.is_empty() {
            self.lost = Some(away(self.lost.take(), now, why.to_owned()));
        }
        for place in &mut self.places {
            place.leaves(now, why.to_owned());
        }
    }

    fn members(&self) -> Vec<Member> {
        let url = self.peer.url();
        let (scheme, name) = url.split_once("://").unwrap_or(("http", url));
        if self.places.is_empty() && !self.own {
            let (name, url) = (name.to_owned(), Some(url.to_owned()));
            return vec![Member { name, url, status: None, heard: None, away: self.lost.clone() }];
        }
        let alone = self.places.len() == 1;
        let member = |place: &Place| {
            let (status, heard) = place.said.clone().unzip();
            let at = if alone { name } else { &place.address };
            let url = format!("{scheme}://{at}");
            Member { name: at.to_owned(), url: Some(url), status, heard, away: place.away.clone() }
        };
        self.places.iter().map(member).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes)
    }

    fn memory() -> Memory {
        Memory::new(&["http://desktop:8080", "https://tasks.builder"].map(|url| Peer::parse(url).unwrap()))
    }

    fn brief(headline: &str) -> Box<Brief> {
        let text = format!(
            r#"{{"schema":1,"version":"1","state":"waiting","step":"wait","headline":"{headline}","since":"2026-11-22T10:00:00Z","cycle":null,
            "progress":{{"done":0,"total":0,"failed":0,"binary":0,"source":0,"eta":null}},"release":null}}"#
        );
        Box::new(Brief::read(text.as_bytes()).unwrap())
    }

    fn found(peer: usize, addresses: &[&str]) -> Heard {
        Heard::Found { peer, addresses: addresses.iter().map(|&address| address.to_owned()).collect() }
    }

    fn said(peer: usize, address: &str, answer: Result<&str, &str>) -> Heard {
        Heard::Said { peer, address: address.into(), answer: answer.map(brief).map_err(str::to_owned) }
    }

    /// Each as `name: headline, minutes since it is away`.
    fn shown(memory: &Memory) -> Vec<String> {
        let minute = |at: Timestamp| at.as_second() / 60;
        let one = |member: Member| {
            let said = member.status.map_or_else(|| "?".to_owned(), |brief| brief.headline);
            let away =
                member.away.map_or_else(String::new, |away| format!(", {} {}", minute(away.since), away.why));
            format!("{}: {said}{away}", member.url.unwrap())
        };
        memory.farm(None).builders.into_iter().map(one).collect()
    }

    #[test]
    fn one_that_does_not_answer_is_away_since_then_and_shown_as_it_was() {
        let mut memory = memory();
        assert_eq!(shown(&memory), ["http://desktop:8080: ?", "https://tasks.builder: ?"]);
        let mut round = |now, answer| {
            memory.take(Heard::Begun, at(now));
            memory.take(found(0, &["10.0.0.1:8080"]), at(now));
            memory.take(said(0, "10.0.0.1:8080", answer), at(now));
            memory.take(Heard::Done, at(now));
            shown(&memory)[0].clone()
        };
        assert_eq!(round(1, Ok("fine")), "http://desktop:8080: fine");
        assert_eq!(round(5, Err("refused")), "http://desktop:8080: fine, 5 refused");
        assert_eq!(round(9, Err("silent")), "http://desktop:8080: fine, 5 silent");
        assert_eq!(round(10, Ok("back")), "http://desktop:8080: back");
    }

    #[test]
    fn a_name_stands_for_as_many_as_it_leads_to() {
        let mut memory = memory();
        memory.take(found(1, &["10.0.0.7:443"]), at(0));
        assert_eq!(shown(&memory)[1..], ["https://tasks.builder: ?"]);
        // One builder is the same when its address changes.
        memory.take(said(1, "10.0.0.7:443", Ok("a")), at(0));
        memory.take(found(1, &["10.0.0.8:443"]), at(1));
        assert_eq!(shown(&memory)[1..], ["https://tasks.builder: a"]);
        memory.take(found(1, &["10.0.0.8:443", "10.0.0.9:443"]), at(2));
        memory.take(said(1, "10.0.0.9:443", Ok("b")), at(2));
        assert_eq!(shown(&memory)[1..], ["https://10.0.0.8:443: a", "https://10.0.0.9:443: b"]);
        memory.take(found(1, &["10.0.0.8:443"]), at(3));
        let gone = "https://10.0.0.9:443: b, 3 tasks.builder does not lead to it any more";
        assert_eq!(shown(&memory)[1..], ["https://10.0.0.8:443: a", gone]);
        memory.take(found(1, &["10.0.0.8:443"]), at(62));
        assert_eq!(shown(&memory)[2..], [gone]);
        memory.take(found(1, &["10.0.0.8:443"]), at(64));
        assert_eq!(shown(&memory)[1..], ["https://tasks.builder: a"]);
        // Nobody knows the name any more: that says nothing of where they are.
        memory.take(Heard::Lost { peer: 1, why: "no such name".into() }, at(70));
        memory.take(Heard::Lost { peer: 0, why: "no such name".into() }, at(70));
        assert_eq!(
            shown(&memory),
            ["http://desktop:8080: ?, 70 no such name", "https://tasks.builder: a, 70 no such name"]
        );
    }

    #[test]
    fn what_nobody_expects_is_not_waited_for_and_what_nobody_knows_is_passed_over() {
        let mut memory = memory();
        assert!(memory.is_settled());
        memory.take(Heard::Begun, at(0));
        assert!(!memory.is_settled());
        memory.take(found(0, &["a:1"]), at(0));
        memory.take(Heard::Lost { peer: 1, why: "unknown".into() }, at(0));
        assert!(!memory.is_settled());
        memory.take(said(0, "a:1", Err("refused")), at(0));
        assert!(memory.is_settled());
        // Both were away: the next time nobody waits for them.
        memory.take(Heard::Begun, at(1));
        memory.take(found(0, &["a:1"]), at(1));
        assert!(memory.is_settled());
        memory.take(said(0, "a:1", Ok("back")), at(1));
        memory.take(Heard::Begun, at(2));
        assert!(!memory.is_settled());
        // Somebody who was told to hear nothing of it ends it.
        memory.take(Heard::Done, at(2));
        assert!(memory.is_settled());
        let before = shown(&memory);
        for nonsense in [
            found(7, &["b:1"]),
            Heard::Lost { peer: 7, why: "x".into() },
            said(7, "a:1", Ok("x")),
            said(0, "b:1", Ok("x")),
        ] {
            memory.take(nonsense, at(3));
        }
        assert_eq!(shown(&memory), before);
        memory.take(found(0, &vec!["x:1"; 10_000]), at(3));
        assert!(memory.peers[0].places.len() <= ADDRESSES);
    }

    #[test]
    fn who_asks_for_the_first_time_takes_over_since_when_one_is_away() {
        let before = |url: &str, since| Member {
            name: url.to_owned(),
            url: Some(url.to_owned()),
            status: Some(*brief("fine")),
            heard: Some(at(since - 1)),
            away: Some(Away { since: at(since), why: "then".into() }),
        };
        let knew = Heard::Knew { away: vec![before("http://desktop:8080", 7), before("http://other", 3)] };
        let mut memory = memory();
        memory.take(found(0, &["10.0.0.1:8080"]), at(60));
        memory.take(said(0, "10.0.0.1:8080", Err("refused")), at(60));
        memory.take(Heard::Lost { peer: 1, why: "no such name".into() }, at(60));
        assert_eq!(shown(&memory)[0], "http://desktop:8080: ?, 60 refused");
        memory.take(knew.clone(), at(60));
        // The reason is today's, and of the second nothing was known.
        assert_eq!(
            shown(&memory),
            ["http://desktop:8080: fine, 7 refused", "https://tasks.builder: ?, 60 no such name"]
        );
        assert_eq!(memory.farm(None).builders[0].heard, Some(at(6)));
        // One that answers now is not away, whoever thinks so.
        memory.take(said(0, "10.0.0.1:8080", Ok("back")), at(60));
        assert_eq!(shown(&memory)[0], "http://desktop:8080: back");
        // What was known begins later than what is known here.
        let mut early = Memory::new(&["http://desktop:8080"].map(|url| Peer::parse(url).unwrap()));
        early.take(Heard::Lost { peer: 0, why: "refused".into() }, at(2));
        early.take(knew, at(2));
        assert_eq!(shown(&early), ["http://desktop:8080: fine, 2 refused"]);
    }

    #[test]
    fn a_builder_that_finds_itself_is_there_once() {
        let mut memory = memory();
        memory.take(found(0, &[]), at(0));
        assert_eq!(shown(&memory), ["https://tasks.builder: ?"]);
        memory.take(Heard::Begun, at(1));
        memory.take(Heard::Lost { peer: 0, why: "no such name".into() }, at(1));
        assert_eq!(shown(&memory)[0], "http://desktop:8080: ?, 1 no such name");
    }
}
