//! `gbsup serve` as a process, asked over TCP: no container, no Portage.

mod accessible;
mod attacks;
mod browser;
mod browser_log;
mod browser_states;
mod builder;
mod content;
mod farm;
mod limits;
mod live;
mod logs;
mod nginx;
mod packages;
mod pages;
mod prometheus;
mod server;
mod sources;
