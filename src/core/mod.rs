//! Decides.
pub mod failure;
pub mod history;
pub mod request;
pub mod status;
