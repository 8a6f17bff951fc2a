//! What Portage, its packages' builds and its helpers print.

pub mod advice;
pub mod buildlog;
mod cause;
pub mod ccache;
pub mod circular;
pub mod complaints;
pub(crate) mod conceal;
pub(crate) mod die;
pub mod elog;
pub mod facts;
pub mod fetch;
pub(crate) mod glsa;
pub mod gpg;
pub mod markers;
pub mod plan;
pub mod problem;
pub(crate) mod progress;
pub mod scanner;
pub(crate) mod signs;
pub mod sync;
