//! What decides whether a package of a builder fits a client: `fingerprint.json` of a release.

use serde::{Deserialize, Serialize};

use super::release::Demanding;
use crate::portage::output::facts::Fact;

/// What `fingerprint.json` holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// The version of this format, [`Fingerprint::SCHEMA`].
    pub schema: u32,
    /// Sorted, each once.
    pub facts: Vec<Fact>,
}

impl Fingerprint {
    /// The version of the format.
    pub const SCHEMA: u32 = 1;

    /// Of these facts.
    pub(crate) fn of(mut facts: Vec<Fact>) -> Self {
        facts.sort_unstable();
        facts.dedup();
        Self { schema: Self::SCHEMA, facts }
    }

    /// The same beside packages of which one demands this kernel.
    pub(crate) fn demanding(mut self, kernel: Option<&Demanding>) -> Self {
        self.facts.retain(|fact| fact.kind != KERNEL);
        self.facts.extend(kernel.map(|Demanding { package, demand }| Fact {
            kind: KERNEL.to_owned(),
            name: "linux".to_owned(),
            value: demand.kernel.to_string(),
            place: Some(format!("{} of {package}", demand.file)),
        }));
        Self::of(self.facts)
    }
}

/// The highest kernel that a package demands.
const KERNEL: &str = "kernel";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_the_same_and_there_is_one_kernel() {
        let fact = |kind: &str, value: &str| Fact {
            kind: kind.into(),
            name: "n".into(),
            value: value.into(),
            place: None,
        };
        let print = Fingerprint::of(vec![fact("use", "on"), fact("kernel", "1"), fact("use", "on")]);
        assert_eq!(print.facts.len(), 2);
        let demanding: Demanding =
            serde_json::from_str(r#"{"package":"a/b-1","kernel":"6.2.0","file":"/lib/x.so"}"#).unwrap();
        let kernels = |print: &Fingerprint| {
            let kernels = print.facts.iter().filter(|fact| fact.kind == "kernel");
            kernels.map(|fact| (fact.value.clone(), fact.place.clone())).collect::<Vec<_>>()
        };
        let print = print.demanding(Some(&demanding));
        assert_eq!(kernels(&print), [("6.2.0".to_owned(), Some("/lib/x.so of a/b-1".to_owned()))]);
        assert_eq!(kernels(&print.demanding(None)), []);
    }
}
