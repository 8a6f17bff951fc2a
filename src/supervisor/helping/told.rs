//! What the threads tell, and what of that is believed: the relay reads what helpers send, and has no rights.

use std::net::{IpAddr, SocketAddr};

use crate::decide::helpers::is_gate;
use crate::icecream::wire::is_name;
use crate::model::helpers::{BUILDER, Helper, MOST, Present};
use crate::render::clean;

/// Bytes of a sentence that are told.
const SHOWN: usize = 300;

/// What one of them tells.
pub(super) enum Told {
    Present(Present),
    /// By whom, and for which package where that is known.
    Compiled(String, Option<String>),
    /// The same, by where it was compiled; nothing where that is no address.
    CompiledAt(Option<SocketAddr>, Option<String>),
    /// A file could be handed to nobody, for this option.
    Kept(&'static str),
    Cycle(Option<u64>),
    Started(&'static str),
    Ended(&'static str, String),
}

/// What may be told of what the relay says. The gates of helpers come to stand in make.conf, which Portage reads as root.
pub(super) fn believed(mut present: Present) -> Present {
    let named = |name: &str| name != BUILDER && is_name(name.as_bytes());
    let is_helper = |one: &Helper| {
        named(&one.name)
            && one.address.parse::<IpAddr>().is_ok()
            && one.gate.as_ref().is_none_or(|gate| is_gate(gate))
    };
    present.helpers.retain(is_helper);
    present.left_out.retain(|one| named(&one.name));
    present.helpers.truncate(MOST);
    present.left_out.truncate(MOST);
    let sentences = present.left_out.iter_mut().map(|one| &mut one.why).chain(&mut present.lost);
    for sentence in sentences {
        *sentence = shown(sentence);
    }
    present
}

/// The beginning of a sentence, without what a terminal would act on.
pub(super) fn shown(sentence: &str) -> String {
    let sentence = clean(sentence);
    sentence[..sentence.floor_char_boundary(SHOWN)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::helpers::LeftOut;

    #[test]
    fn of_a_relay_nothing_is_believed_that_it_could_not_know() {
        let helper = |name: &str, address: &str, gate: Option<&str>| Helper {
            name: name.into(),
            address: address.into(),
            slots: 2,
            gate: gate.map(str::to_owned),
        };
        let good = [helper("h1", "10.0.0.2", Some("127.0.1.1:3632")), helper("h2", "fd00::2", None)];
        let bad = [
            helper("h 3", "10.0.0.2", None),
            helper(BUILDER, "10.0.0.2", None),
            helper("h4", "nowhere", None),
            helper("h5", "10.0.0.2", Some("127.0.1.1:3632\"\nPORTAGE_USERNAME=\"root")),
            helper("h6", "10.0.0.2", Some("10.0.0.2:3632")),
            helper("h7", "10.0.0.2", Some("127.0.1.1")),
        ];
        let out = |name: &str, why: &str| LeftOut { name: name.into(), why: why.into() };
        let said = believed(Present {
            helpers: [&bad[..], &good].concat(),
            lost: Some(format!("h9 has \u{1b}left{}", "é".repeat(SHOWN))),
            left_out: vec![out("h8", "its gcc\nis another"), out("\n", "nameless")],
        });
        assert_eq!(said.helpers, good);
        assert_eq!(said.left_out, [out("h8", "its gcc is another")]);
        let lost = said.lost.unwrap();
        assert!(lost.starts_with("h9 has \\x1bleft") && lost.len() <= SHOWN, "{lost}");
        let many = (0..=MOST).map(|n| helper(&format!("h{n}"), "10.0.0.2", None)).collect();
        assert_eq!(believed(Present { helpers: many, ..Present::default() }).helpers.len(), MOST);
    }
}
