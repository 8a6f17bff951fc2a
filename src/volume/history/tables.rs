//! The tables of the history, version by version.

/// The version of the tables, kept in the database's `user_version`.
pub(crate) const SCHEMA: i64 = 6;

/// What makes each version of the tables from the one before, beginning with an empty file.
pub(crate) const VERSIONS: &[&str] = &[CYCLES, PREDICTIONS, REMEDIES, RELEASES, CCACHE, HELPED];

/// A cycle's number is not its key: numbers begin again at 1 when the state was lost.
const CYCLES: &str = "
    CREATE TABLE cycles (
        key INTEGER PRIMARY KEY, number INTEGER NOT NULL, started INTEGER NOT NULL, reason TEXT NOT NULL,
        ended INTEGER, outcome TEXT
    ) STRICT;
    CREATE INDEX cycles_by_number ON cycles (number);
    CREATE TABLE steps (
        key INTEGER PRIMARY KEY, cycle INTEGER NOT NULL REFERENCES cycles (key), step TEXT NOT NULL,
        started INTEGER NOT NULL, log TEXT, ended INTEGER, outcome TEXT
    ) STRICT;
    CREATE INDEX steps_by_cycle ON steps (cycle);
    CREATE TABLE packages (
        key INTEGER PRIMARY KEY, cycle INTEGER NOT NULL REFERENCES cycles (key), step TEXT NOT NULL,
        package TEXT NOT NULL, binary INTEGER NOT NULL, started INTEGER NOT NULL, ended INTEGER NOT NULL,
        outcome TEXT NOT NULL, log TEXT, message TEXT
    ) STRICT;
    CREATE INDEX packages_by_cycle ON packages (cycle);
";

/// `after` and `took` are seconds in which the build of the cycle worked: before the prediction, and
/// from it to the end.
const PREDICTIONS: &str = "
    CREATE TABLE predictions (
        key INTEGER PRIMARY KEY, cycle INTEGER NOT NULL REFERENCES cycles (key), at INTEGER NOT NULL,
        after INTEGER NOT NULL, packages INTEGER NOT NULL, low INTEGER NOT NULL, likely INTEGER NOT NULL,
        high INTEGER NOT NULL, unknown INTEGER NOT NULL, took INTEGER
    ) STRICT;
    CREATE INDEX predictions_by_cycle ON predictions (cycle);
";

/// `packages` are separated by blanks. `ended` is absent as long as it acts, and when nobody saw its end.
const REMEDIES: &str = "
    CREATE TABLE remedies (
        key INTEGER PRIMARY KEY, cycle INTEGER NOT NULL REFERENCES cycles (key), step TEXT NOT NULL,
        class TEXT NOT NULL, packages TEXT NOT NULL, what TEXT NOT NULL, started INTEGER NOT NULL,
        ended INTEGER, outcome TEXT
    ) STRICT;
    CREATE INDEX remedies_by_cycle ON remedies (cycle);
";

/// What clients were offered from a time on. `cycle` is the newest one then, `again` the older release whose
/// packages it has, when somebody went back to that.
const RELEASES: &str = "
    CREATE TABLE releases (
        key INTEGER PRIMARY KEY, cycle INTEGER NOT NULL REFERENCES cycles (key), release TEXT NOT NULL,
        at INTEGER NOT NULL, packages INTEGER NOT NULL, again TEXT
    ) STRICT;
    CREATE INDEX releases_by_cycle ON releases (cycle);
";

/// What ccache was good for in a cycle.
const CCACHE: &str = "
    CREATE TABLE ccache (
        cycle INTEGER PRIMARY KEY REFERENCES cycles (key), hits INTEGER NOT NULL, misses INTEGER NOT NULL,
        size INTEGER NOT NULL
    ) STRICT;
";

/// Where the files of a package were compiled, and how many helpers have compiled any of them. `package` is empty for all of the cycle,
/// which has more than its packages where it is not known for which one a file was.
const HELPED: &str = "
    CREATE TABLE helped (
        cycle INTEGER NOT NULL REFERENCES cycles (key), package TEXT NOT NULL, remote INTEGER NOT NULL,
        local INTEGER NOT NULL, helpers INTEGER NOT NULL, PRIMARY KEY (cycle, package)
    ) STRICT;
";
