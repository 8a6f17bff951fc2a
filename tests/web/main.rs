//! `gbsup serve` as a process, asked over TCP: no container, no Portage.

mod attacks;
mod builder;
mod content;
mod limits;
mod live;
mod nginx;
mod server;
