//! What a child gets of the container's environment.
//!
//! Portage saves the environment of an ebuild in every package (`environment.bz2`) and a build may print it into its log,
//! so whatever arrives there is published. Children therefore get what is listed here, and what a person names.

use std::borrow::Cow;

use crate::portage::output::conceal::concealed;

/// Whose child it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inherits<'a> {
    /// Nothing but what every program needs: where programs are, the home, the language, the time zone.
    Nothing,
    /// What a program needs that only verifies others: where authorities are, besides. No proxy, which may have a password.
    Certificates,
    /// What a program needs that talks to others: the proxies and where authorities are, besides.
    Network,
    /// What Portage documents, and these names of `build.environment`, besides.
    Portage(&'a [String]),
}

/// What every program gets; and `LC_*`.
const ALWAYS: &[&str] = &["PATH", "HOME", "TERM", "LANG", "LANGUAGE", "LOCPATH", "TZ"];

/// Where authorities are, for those who look by the rules of OpenSSL.
pub(crate) const CERTIFICATES: [&str; 2] = ["SSL_CERT_FILE", "SSL_CERT_DIR"];

/// What programs that talk to others look at, in either case.
const NETWORK: &str = "\
    http_proxy https_proxy ftp_proxy all_proxy no_proxy rsync_proxy socks_proxy ssl_cert_file ssl_cert_dir \
    curl_ca_bundle";

/// make.conf(5) and the environment of emerge(1), of Portage 3.0.83; what makes emerge work on another root
/// (`ROOT`, `SYSROOT`, `EPREFIX`, `PORTAGE_CONFIGROOT`) is left out on purpose.
const PORTAGE: &str = "\
    ACCEPT_CHOSTS ACCEPT_KEYWORDS ACCEPT_LICENSE ACCEPT_PROPERTIES ACCEPT_RESTRICT ALLOW_TEST \
    BINPKG_COMPRESS BINPKG_COMPRESS_FLAGS BINPKG_FORMAT BINPKG_GPG_SIGNING_BASE_COMMAND \
    BINPKG_GPG_SIGNING_DIGEST BINPKG_GPG_SIGNING_GPG_HOME BINPKG_GPG_SIGNING_KEY \
    BINPKG_GPG_VERIFY_BASE_COMMAND BINPKG_GPG_VERIFY_GPG_HOME CBUILD CFLAGS CHOST CLEAN_DELAY \
    COLLISION_IGNORE CONFIG_PROTECT CONFIG_PROTECT_MASK CPPFLAGS CTARGET CXXFLAGS DISTDIR DOC_SYMLINKS_DIR \
    EBEEP_IGNORE EMERGE_LOG_DIR EMERGE_WARNING_DELAY ENV_UNSET EPAUSE_IGNORE EXTRA_ECONF EXTRA_EMAKE FCFLAGS \
    FEATURES FETCHCOMMAND FETCH_WRAPPER FFLAGS GENTOO_MIRRORS GNUMAKEFLAGS GPG_VERIFY_GROUP_DROP \
    GPG_VERIFY_USER_DROP INSTALL_MASK LDFLAGS LINGUAS MAKEFLAGS MAKEOPTS NINJAOPTS NOCOLOR NO_COLOR PKGDIR \
    PKG_INSTALL_MASK PORTAGE_BINHOST PORTAGE_BINHOST_HEADER_URI PORTAGE_BINHOST_TTL PORTAGE_BINPKG_FORMAT \
    PORTAGE_BINPKG_TAR_OPTS PORTAGE_BUNZIP2_COMMAND PORTAGE_BZIP2_COMMAND PORTAGE_CGROUP_ROOT \
    PORTAGE_CHECKSUM_FILTER PORTAGE_CIRCULAR_MAX_USE_FLAGS PORTAGE_COMPRESS \
    PORTAGE_COMPRESS_EXCLUDE_SUFFIXES PORTAGE_COMPRESS_FLAGS PORTAGE_ELOG_CLASSES PORTAGE_ELOG_COMMAND \
    PORTAGE_ELOG_MAILFROM PORTAGE_ELOG_MAILSUBJECT PORTAGE_ELOG_MAILURI PORTAGE_ELOG_SYSTEM \
    PORTAGE_FETCH_CHECKSUM_TRY_MIRRORS PORTAGE_FETCH_RESUME_MIN_SIZE PORTAGE_GPG_DIR PORTAGE_GPG_KEY \
    PORTAGE_GPG_SIGNING_COMMAND PORTAGE_GRPNAME PORTAGE_INST_GID PORTAGE_INST_UID PORTAGE_IONICE_COMMAND \
    PORTAGE_LOGDIR PORTAGE_LOGDIR_CLEAN PORTAGE_LOG_FILE_SEP PORTAGE_LOG_FILTER_FILE_CMD PORTAGE_NICENESS \
    PORTAGE_REPOSITORIES PORTAGE_RO_DISTDIRS PORTAGE_RSYNC_EXTRA_OPTS PORTAGE_RSYNC_INITIAL_TIMEOUT \
    PORTAGE_RSYNC_OPTS PORTAGE_RSYNC_RETRIES PORTAGE_SCHEDULING_POLICY PORTAGE_SCHEDULING_PRIORITY \
    PORTAGE_SOCKS5_PROXY PORTAGE_SSH_OPTS PORTAGE_SYNC_STALE PORTAGE_TMPDIR PORTAGE_TRUST_HELPER \
    PORTAGE_USERNAME PORTAGE_WORKDIR_MODE PORTAGE_XATTR_EXCLUDE PORTDIR PORTDIR_OVERLAY PORT_LOGDIR \
    PORT_LOGDIR_CLEAN RESUMECOMMAND RPMDIR RUSTFLAGS SYNC UNINSTALL_IGNORE USE USE_ORDER";

/// Families of names that make.conf(5) documents, or that Portage lets into every ebuild
/// (`special_env_vars.py:environ_whitelist_re`).
const FAMILIES: &[&str] = &[
    "BINPKG_COMPRESS_FLAGS_",
    "CCACHE_",
    "DISTCC_",
    "FETCHCOMMAND_",
    "QA_STRICT_",
    "QEMU_",
    "RESUMECOMMAND_",
];

/// `USE_EXPAND` and what is hidden of it: `profiles/base/make.defaults` of the gentoo repository.
const EXPANDED: &str = "\
    ABI_MIPS ABI_S390 ABI_X86 ADA_TARGET ALSA_CARDS AMDGPU_TARGETS APACHE2_MODULES APACHE2_MPMS \
    CALLIGRA_FEATURES CAMERAS COLLECTD_PLUGINS CPU_FLAGS_ARM CPU_FLAGS_PPC CPU_FLAGS_RISCV CPU_FLAGS_X86 \
    CURL_QUIC CURL_SSL ELIBC FFTOOLS GPSD_PROTOCOLS GRUB_PLATFORMS GUILE_SINGLE_TARGET GUILE_TARGETS \
    INPUT_DEVICES KERNEL L10N LCD_DEVICES LIBREOFFICE_EXTENSIONS LLVM_SLOT LLVM_TARGETS LUA_SINGLE_TARGET \
    LUA_TARGETS MONKEYD_PLUGINS NGINX_MODULES_HTTP NGINX_MODULES_MAIL NGINX_MODULES_STREAM \
    OFFICE_IMPLEMENTATION OPENMPI_FABRICS OPENMPI_OFED_FEATURES OPENMPI_RM PHP_TARGETS POSTGRES_TARGETS \
    PYTHON_SINGLE_TARGET PYTHON_TARGETS QEMU_SOFTMMU_TARGETS QEMU_USER_TARGETS RUBY_TARGETS SANE_BACKENDS \
    UWSGI_PLUGINS VIDEO_CARDS VOICEMAIL_STORAGE XTABLES_ADDONS";

/// What shells and container engines set, which nobody misses.
const ENGINES: &str = "\
    HOSTNAME INVOCATION_ID LOGNAME NOTIFY_SOCKET OLDPWD PWD SHELL SHLVL USER _ container container_uuid";

impl Inherits<'_> {
    /// Whether a variable of the container arrives.
    pub(crate) fn takes(self, name: &str) -> bool {
        if is_ours(name) {
            return false;
        }
        let always = ALWAYS.contains(&name) || name.starts_with("LC_");
        match self {
            Self::Nothing => always,
            Self::Certificates => always || is_certificate(name),
            Self::Network => always || is_network(name),
            Self::Portage(more) => {
                always || is_network(name) || is_portage(name) || more.iter().any(|wanted| wanted == name)
            }
        }
    }
}

/// Whether a name is one of a list of words.
fn is_among(words: &str, name: &str) -> bool {
    words.split(' ').any(|word| word == name)
}

/// A variable of gbsup, some of which hold secrets; also the mark of its jobs.
fn is_ours(name: &str) -> bool {
    name.starts_with("GBSUP_")
}

fn is_certificate(name: &str) -> bool {
    CERTIFICATES.contains(&name)
}

fn is_network(name: &str) -> bool {
    NETWORK.split(' ').any(|known| known.eq_ignore_ascii_case(name))
}

fn is_portage(name: &str) -> bool {
    is_among(PORTAGE, name)
        || is_among(EXPANDED, name)
        || FAMILIES.iter().any(|family| name.starts_with(family))
}

/// What Docker's links and Kubernetes set for each service: `NAME_SERVICE_HOST`, `NAME_PORT_80_TCP_ADDR`.
fn is_of_engine(name: &str) -> bool {
    is_among(ENGINES, name)
        || ["_SERVICE_HOST", "_SERVICE_PORT", "_PORT_"].iter().any(|part| name.contains(part))
        || name.ends_with("_PORT")
}

/// One sentence about the variables that somebody gave the container and that reach nothing; never a value.
pub(crate) fn left_out<'a>(names: impl IntoIterator<Item = &'a str>, more: &[String]) -> Option<String> {
    let left_out = |name: &&str| {
        !Inherits::Portage(more).takes(name) && !is_ours(name) && !is_of_engine(name) && is_name(name)
    };
    let mut names: Vec<_> = names.into_iter().filter(left_out).collect();
    names.sort_unstable();
    let defaults = names.contains(&"EMERGE_DEFAULT_OPTS");
    names.retain(|name| *name != "EMERGE_DEFAULT_OPTS");
    let options = defaults.then(|| {
        "EMERGE_DEFAULT_OPTS of the container is not used; options for emerge are set by [build] args"
            .to_owned()
    });
    let others = (!names.is_empty()).then(|| {
        format!(
            "not given to Portage or any other program, since what a build gets is in every package: {} of the \
             container's environment; what builds need is named in [build] environment",
            names.join(", ")
        )
    });
    let sentences: Vec<_> = options.into_iter().chain(others).collect();
    (!sentences.is_empty()).then(|| sentences.join("; "))
}

/// One sentence about addresses with a password: proxies, which Portage hands to every build and saves in every package, and others,
/// which it prints.
pub(crate) fn published<'a>(variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Option<String> {
    let with_password =
        |(name, value): &(&str, &str)| name.to_ascii_lowercase().ends_with("_proxy") && value.contains('@');
    let is_printed = |(name, value): &(&str, &str)| {
        is_portage(name)
            && matches!(concealed(value.as_bytes()), Cow::Owned(shown) if shown != value.as_bytes())
    };
    let (mut proxies, mut others) = (Vec::new(), Vec::new());
    for variable in variables {
        if with_password(&variable) && is_network(variable.0) {
            proxies.push(variable.0);
        } else if is_printed(&variable) {
            others.push(variable.0);
        }
    }
    let saved = (!proxies.is_empty()).then(|| {
        format!(
            "{} has a name or a password in it, and Portage saves it in every package that is built: use a proxy that \
             knows the builder by its address",
            proxies.join(", ")
        )
    });
    let printed = (!others.is_empty()).then(|| {
        format!(
            "{} has a name or a password in it, and Portage prints it into build logs: use a server that knows the builder \
             by its address",
            others.join(", ")
        )
    });
    let sentences: Vec<_> = saved.into_iter().chain(printed).collect();
    (!sentences.is_empty()).then(|| sentences.join("; "))
}

/// Whether a variable can be named so: a letter or `_`, then letters, digits and `_`.
pub(crate) fn is_name(name: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !name.is_empty() && name.bytes().all(word) && !name.as_bytes()[0].is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_get_what_is_listed_and_nothing_else() {
        let more = ["TOKEN".to_owned(), "GBSUP_NOTIFY_WEBHOOK".to_owned()];
        for (name, nothing, network, portage, named) in [
            ("PATH", true, true, true, true),
            ("LC_TIME", true, true, true, true),
            ("https_proxy", false, true, true, true),
            ("NO_PROXY", false, true, true, true),
            ("SSL_CERT_FILE", false, true, true, true),
            ("USE", false, false, true, true),
            ("VIDEO_CARDS", false, false, true, true),
            ("FETCHCOMMAND_SSH", false, false, true, true),
            ("TOKEN", false, false, false, true),
            ("TOKEN2", false, false, false, false),
            ("PORTAGE_TOKEN", false, false, false, false),
            ("ROOT", false, false, false, false),
            ("LD_PRELOAD", false, false, false, false),
            ("GBSUP_NOTIFY_WEBHOOK", false, false, false, false),
            ("GBSUP_RESTARTS", false, false, false, false),
            ("", false, false, false, false),
        ] {
            assert_eq!(Inherits::Nothing.takes(name), nothing, "{name}");
            assert_eq!(Inherits::Certificates.takes(name), nothing || name == "SSL_CERT_FILE", "{name}");
            assert_eq!(Inherits::Network.takes(name), network, "{name}");
            assert_eq!(Inherits::Portage(&[]).takes(name), portage, "{name}");
            assert_eq!(Inherits::Portage(&more).takes(name), named, "{name}");
        }
    }

    #[test]
    fn what_does_not_arrive_is_named_and_engines_are_not() {
        let names =
            ["PATH", "USE", "TOKEN", "API_KEY", "HOSTNAME", "KUBERNETES_SERVICE_HOST", "X_PORT_80_TCP"];
        let said = left_out(names, &[]).unwrap();
        assert!(
            said.contains(": API_KEY, TOKEN of the container") && said.contains("[build] environment"),
            "{said}"
        );
        assert_eq!(left_out(names, &["TOKEN".into(), "API_KEY".into()]), None);
        assert_eq!(left_out(["GBSUP_NOTIFY_WEBHOOK"], &[]), None);
        let said = left_out(["EMERGE_DEFAULT_OPTS"], &[]).unwrap();
        assert!(said.contains("[build] args") && !said.contains("[build] environment"), "{said}");
    }

    #[test]
    fn a_password_in_a_proxy_is_told_without_it() {
        let said = published([("https_proxy", "http://me:secret@proxy:3128"), ("no_proxy", "a")]).unwrap();
        assert!(said.starts_with("https_proxy has") && !said.contains("secret"), "{said}");
        assert_eq!(
            published([("http_proxy", "http://proxy:3128"), ("CFLAGS", "@"), ("X", "http://a@b")]),
            None
        );
        let said = published([("GENTOO_MIRRORS", "http://me:secret@mirror/")]).unwrap();
        assert!(said.starts_with("GENTOO_MIRRORS has") && !said.contains("secret"), "{said}");
    }
}
