//! `gbsup serve` as a process, asked over TCP: no container, no Portage.

mod attacks;
mod content;
mod limits;
mod nginx;
mod server;
