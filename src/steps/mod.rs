//! The work of the steps of a cycle, each as a part of a `Task`.

pub(crate) mod answers;
pub(crate) mod asking;
pub(crate) mod attention;
pub(crate) mod audit;
pub(crate) mod beside;
pub(crate) mod cgroup;
pub(crate) mod clones;
pub(crate) mod gauge;
pub(crate) mod helpers;
pub(crate) mod planning;
pub(crate) mod preflight;
pub(crate) mod publish;
pub(crate) mod quarantine;
pub(crate) mod rebuild;
pub(crate) mod remedies;
pub(crate) mod repair;
pub(crate) mod sync;
pub(crate) mod task;
pub(crate) mod temporary_use;
pub(crate) mod trial;
