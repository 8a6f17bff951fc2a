//! Performs.
pub mod history;
