//! This machine: Portage is asked here, its places are looked into, programs are run. What a step does and what a verb
//! does without a supervisor stand on it.

pub(crate) mod build;
pub(crate) mod clients;
pub(crate) mod compilers;
pub(crate) mod configuration;
pub(crate) mod console;
pub(crate) mod delivery;
pub(crate) mod engine;
pub(crate) mod facts;
pub(crate) mod fingerprint;
pub(crate) mod inputs;
pub(crate) mod installed;
pub(crate) mod live;
pub(crate) mod locks;
pub(crate) mod output;
pub(crate) mod places;
pub(crate) mod process;
pub(crate) mod prune;
pub(crate) mod rehearse;
pub(crate) mod revision;
pub(crate) mod seen;
pub(crate) mod trees;
pub(crate) mod unusable;
