//! Performs.
