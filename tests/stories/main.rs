//! What is decided, told as stories: fast, without a process or a file.

#[path = "../common/mod.rs"]
mod common;

mod audit;
mod cycle;
mod delivery;
mod known;
mod major;
mod notices;
mod planning;
mod publish;
mod remedies;
mod requests;
mod room;
mod serve;
mod stall;
mod story;
mod syncs;
mod telling;
mod untried;
mod versions;
