//! ccache in front of the compilers of a build: ccache(1), and FEATURES=ccache of make.conf(5).

use std::path::PathBuf;

use super::line::{Command, plain, set};

/// What has Portage put it there.
pub(crate) const CCACHE: &str = "ccache";

/// Where what was compiled is kept, and how much of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ccache {
    /// Writable by the group portage.
    pub directory: PathBuf,
    /// Bytes.
    pub size: u64,
}

/// Stands for the file of that name in the directory: builds can write there, and what such a file names as a prefix or a log
/// is run and written by whoever compiles next, who may be root.
const CONFIGURATION: &str = "/etc/ccache.conf";

/// What tells one compiler from another. By default it is the time of its file, which is another one in every stage3 that has the
/// same compiler; and the content of that file is nearly nothing of a clang, which is a library.
const COMPILER: &str = "%compiler% -v";

impl Ccache {
    /// What has to be set beside [`CCACHE`].
    pub(super) fn variables(&self) -> [(&'static str, String); 6] {
        [
            ("CCACHE_DIR", self.directory.display().to_string()),
            // A number alone would mean so many GB.
            ("CCACHE_MAXSIZE", format!("{}Ki", self.size >> 10)),
            ("CCACHE_CONFIGPATH", CONFIGURATION.to_owned()),
            ("CCACHE_COMPILERCHECK", COMPILER.to_owned()),
            // What root or another builder has put there is used, counted and removed by the user portage.
            ("CCACHE_UMASK", "002".to_owned()),
            // Portage would have ccache write the size of make.conf into its configuration (`bin/ebuild.sh`).
            ("CCACHE_SIZE", String::new()),
        ]
    }
}

/// Asks what ccache has counted; read by [`counters`](crate::portage::output::ccache::counters). The directory may be on a server
/// that does not answer, so not for longer than this.
pub(crate) fn ccache_counters(ccache: &Ccache) -> Command {
    let mut command = plain(&["timeout", "--kill-after=5", "20", "ccache", "--print-stats"]);
    for (name, value) in ccache.variables() {
        set(&mut command.env, name, value);
    }
    command
}
