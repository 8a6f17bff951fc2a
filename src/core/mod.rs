//! Decides.
pub mod failure;
pub mod request;
pub mod status;
