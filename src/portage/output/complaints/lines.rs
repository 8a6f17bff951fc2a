//! The lines by which complaints are known.

use File as F;
use Weight as W;

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Weight {
    /// Portage ends with an exception, whatever it is asked.
    Fatal,
    /// A part of the configuration is not in force: what is built now is not what was asked for.
    Broken,
    /// The profile cannot be put together, which is so as long as a repository is not there.
    Profile,
    /// Portage has a default for it, or does without.
    Minor,
}

/// Where the file is named in a line, after its beginning.
#[derive(Clone, Copy)]
pub(super) enum File {
    None,
    /// In the second of the quotes that follow.
    SecondQuoted,
    /// In quotes.
    Quoted,
    /// Up to the last `: `, behind which the item stands.
    BeforeItem,
    /// Up to a space.
    Word,
    /// Always this one; what follows is the item.
    Known(&'static str),
    /// `repos.conf`; the item is the head of the section that is named.
    Section,
    /// In quotes; the item is in the last ones.
    QuotedItem,
    /// In the second of the quotes that follow; the item is in the last ones.
    SecondQuotedItem,
}

const MAKE: File = F::Known("/etc/portage/make.conf");

/// How a line begins, what else is in it, how much it matters, where the file is.
#[rustfmt::skip]
pub(super) const LINES: &[(&str, &str, Weight, File)] = &[
    // portage/util/__init__.py: grabdict_package, grabfile_package; _config/UseManager.py.
    ("--- Invalid atom in ", "", W::Broken, F::BeforeItem),
    ("--- Atom is not allowed to have USE flag(s) in ", "", W::Broken, F::BeforeItem),
    ("--- Invalid USE flag in ", "", W::Broken, F::QuotedItem),
    ("--- Invalid USE flag for ", "", W::Broken, F::SecondQuotedItem),
    // portage/util/__init__.py: getconfig.
    ("open('", "', 'r'): ", W::Broken, F::Quoted),
    ("!!! Please use dos2unix to convert line endings in config file: ", "", W::Broken, F::Quoted),
    // portage/repository/config.py: _parse, _add_repositories, __init__.
    ("!!! Error while reading repo config file: ", "", W::Broken, F::Section),
    ("!!! Section '", "' in repos.conf is missing location attribute", W::Broken, F::Section),
    ("!!! Section '", "' in repos.conf has name different from repository name ", W::Broken, F::Section),
    ("!!! Repository '", "' has sync-type attribute, but is missing sync-uri attribute", W::Broken, F::Section),
    ("!!! Repository '", "' has sync-uri attribute, but is missing sync-type attribute", W::Broken, F::Section),
    ("!!! Repository '", "' has sync-type attribute set to unsupported value: ", W::Broken, F::Section),
    ("!!! main-repo not set in DEFAULT and PORTDIR is empty.", "", W::Broken, F::Section),
    ("!!! Invalid ", " setting for repo ", W::Broken, F::Section),
    // The other repositories can do without; what needs it fails, and says so.
    ("Unavailable repository '", "referenced by masters entry in '", W::Minor, F::SecondQuoted),
    ("!!! Repository '", "' is missing masters attribute in '", W::Minor, F::SecondQuoted),
    ("!!! Repository name or alias '", "overrides existing alias or repository", W::Minor, F::None),
    ("Unavailable repository '", "referenced by eclass-overrides entry for ", W::Minor, F::Section),
    // portage/package/ebuild/config.py.
    ("!!! ", " references non-existent file: ", W::Broken, F::Word),
    ("!!! Illegal variable '", "assigned in '", W::Broken, F::SecondQuoted),
    ("Invalid package name in package.provided: ", "", W::Broken, F::Known("/etc/portage/profile/package.provided")),
    ("!!! BINPKG_COMPRESS ", "unsupported", W::Broken, MAKE),
    ("!!! BINPKG_FORMAT contains invalid or unsupported format: ", "", W::Minor, MAKE),
    ("!!! Invalid ACCEPT_CHOSTS value: ", "", W::Broken, MAKE),
    ("!!! INVALID ACCEPT_KEYWORDS: ", "", W::Minor, MAKE),
    ("!!! ", "is not a valid integer.  Falling back to ", W::Minor, MAKE),
    ("FEATURES variable contains unknown value(s): ", "", W::Minor, MAKE),
    ("!!! Found 2 make.conf files, using both ", "", W::Minor, F::None),
    // portage/package/ebuild/_config/LocationsManager.py.
    ("!!! Unable to parse profile: ", "", W::Profile, F::Quoted),
];
