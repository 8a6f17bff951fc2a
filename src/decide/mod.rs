//! Decides. One [`State`](crate::model::state::State), one total function [`step::step`] that changes it, and nothing else:
//! no I/O, no clock, no randomness. The supervisor's loop selects an [`Event`](crate::model::Event), calls `step`, and
//! performs the [`Action`](crate::model::Action)s that come back.
//!
//! ```text
//!              Claimed                cycle due, sync asked for
//!   Starting ──────────┬────────────────────────┐◄─────────────────────────────┐
//!      │               ▼                        │                              │
//!      │   ┌─ Running{preflight → sync → self-update → plan → build → rebuild → audit → publish → prune}─► Waiting
//!      │   │     ▲        │ a step failed, an operator asked, the pause flag is there
//!      │   │     │resume  ▼
//!      └───┼───► Paused ◄─┴─────────────────────────────────────────────────────── (pause)
//!  refused │
//!          └─► stop asked: the job is halted, then Exit (the phase on the volume stays,
//!              so that the next start goes on where this one was)
//! ```

pub mod audit;
pub mod bisect;
pub mod catalogue;
pub mod classify;
pub mod clients;
pub(crate) mod compare;
pub(crate) mod cycle;
pub(crate) mod engine;
pub mod eta;
pub mod farm;
pub(crate) mod helpers;
pub(crate) mod news;
pub(crate) mod prune;
pub(crate) mod rebuilds;
pub(crate) mod remedy;
pub(crate) mod rest;
pub(crate) mod signing;
pub mod step;
pub(crate) mod trees;
pub mod view;
