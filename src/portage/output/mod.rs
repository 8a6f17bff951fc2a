//! What Portage, its packages' builds and its helpers print.

pub mod advice;
pub mod buildlog;
mod cause;
pub mod circular;
pub mod complaints;
pub mod die;
pub mod elog;
pub mod facts;
pub mod fetch;
pub mod glsa;
pub mod gpg;
pub mod markers;
pub mod plan;
pub mod problem;
pub mod progress;
pub mod scanner;
pub mod signs;
pub mod sync;
