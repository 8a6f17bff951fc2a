use std::path::PathBuf;
use std::time::Duration;

use super::keys::KEYS;
use super::*;

fn file(text: &str) -> Result<Config, Vec<String>> {
    all(Some(text), &[])
}

fn env(variables: &[(&str, &str)]) -> Result<Config, Vec<String>> {
    all(None, variables)
}

fn all(text: Option<&str>, variables: &[(&str, &str)]) -> Result<Config, Vec<String>> {
    let env = variables.iter().map(|(name, value)| ((*name).to_string(), (*value).to_string()));
    check(text.map(|text| ("f", text)), env)
        .map_err(|problems| problems.to_string().lines().map(String::from).collect())
}

fn problems(text: &str) -> Vec<String> {
    file(text).expect_err("the file should be refused")
}

#[test]
fn the_shipped_file_equals_the_defaults() {
    let shipped = include_str!("../../etc/gbsup.toml");
    assert_eq!(file(shipped), Ok(Config::default()));
    let document: toml::Table = shipped.parse().unwrap();
    for (section, keys) in KEYS {
        for key in *keys {
            assert!(document[*section].get(key).is_some(), "[{section}] {key} is not in etc/gbsup.toml");
        }
    }
}

#[test]
fn nothing_means_the_defaults() {
    assert_eq!(all(None, &[]), Ok(Config::default()));
    assert_eq!(file(""), Ok(Config::default()));
}

#[test]
fn what_is_shown_reads_back_as_the_same() {
    let text = r#"
        [cycle]
        interval = "never"
        [build]
        jobs = 3
        load_average = 2.5
        args = ["--exclude", "a/b"]
        [[rebuild.commands]]
        run = ["true"]
        [[rebuild.commands]]
        when = "dev-lang/perl"
        run = ["perl-cleaner", "--all"]
    "#;
    let env = || [("GBSUP_STOP_GRACE".to_string(), "1m 30s".to_string())].into_iter();
    let shown = show(Some(("f", text)), env()).unwrap();
    assert_eq!(check(Some(("shown", &shown)), std::iter::empty()), check(Some(("f", text)), env()));
    for (value, origin) in [
        ("grace = \"1m 30s\"", "# from GBSUP_STOP_GRACE"),
        ("jobs = 3", "# f:5"),
        ("on_start = true", "# default"),
    ] {
        let line = shown.lines().find(|line| line.starts_with(value)).unwrap_or_default();
        assert!(line.ends_with(origin), "{shown}");
    }
}

/// The text of a variable means what its key takes, whatever else it would be in a file.
#[test]
fn a_variable_is_read_by_the_type_of_its_key() {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    for (value, want) in [
        ("true", words(&["true"])),
        ("false", words(&["false"])),
        ("7", words(&["7"])),
        ("1e3", words(&["1e3"])),
        ("inf", words(&["inf"])),
        ("2026-11-22", words(&["2026-11-22"])),
        ("", words(&[])),
        ("  ", words(&[])),
        ("[]", words(&[])),
        ("\"\"", words(&[])),
        ("\"emaint sync -a\"", words(&["emaint", "sync", "-a"])),
        ("'emaint sync -a'", words(&["emaint", "sync", "-a"])),
        ("sh -c 'git pull; true'", words(&["sh", "-c", "git pull; true"])),
        ("sh -c \"a 'b' c\"", words(&["sh", "-c", "a 'b' c"])),
        ("/opt/my\\ sync -q", words(&["/opt/my sync", "-q"])),
        ("[\"/opt/my sync\", \"-q\"]", words(&["/opt/my sync", "-q"])),
        ("/nowhere/at-all", words(&["/nowhere/at-all"])),
        ("{ a = 1 }", words(&["{", "a", "=", "1", "}"])),
    ] {
        for key in ["GBSUP_SYNC_COMMAND", "GBSUP_NOTIFY_COMMAND"] {
            let config = env(&[(key, value)]).unwrap_or_else(|problems| panic!("{value}: {problems:?}"));
            let read = if key == "GBSUP_SYNC_COMMAND" { config.sync.command } else { config.notify.command };
            assert_eq!(read, want, "{key}={value}");
        }
    }
    // Every value of text takes every text, and every other one takes its own with quotes around it.
    for text in ["true", "12", "1.5", "1979-05-27", "nan", "[x]", "\"builder\""] {
        let name = env(&[("GBSUP_NOTIFY_NAME", text)]).unwrap().notify.name;
        assert_eq!(name, text.trim_matches('"'));
    }
    let quoted = env(&[
        ("GBSUP_BUILD_JOBS", "\"4\""),
        ("GBSUP_CYCLE_ON_START", "\"false\""),
        ("GBSUP_CYCLE_INTERVAL", "\"10 min\""),
        ("GBSUP_REMEDY_FETCH", "\"1s 2s\""),
        ("GBSUP_REMEDY_OUT_OF_MEMORY", "'false'"),
        ("GBSUP_PUBLISH_SIGN_KEY", "0123456789012345678901234567890123456789"),
        ("GBSUP_HTTP_LISTEN", "\"\""),
    ])
    .unwrap();
    assert_eq!(quoted.build.jobs, Jobs::Exactly(4));
    assert!(!quoted.cycle.on_start && !quoted.remedy.out_of_memory);
    assert_eq!(quoted.remedy.fetch, [1, 2].map(Duration::from_secs));
    for (name, value, reason) in [
        ("GBSUP_CYCLE_ON_START", "yes", "expected true or false, found \"yes\""),
        ("GBSUP_CYCLE_ON_START", "", "expected true or false, found \"\""),
        (
            "GBSUP_CYCLE_INTERVAL",
            "24",
            "expected a duration such as \"24h\", \"10 min\" or \"90s\", found 24",
        ),
        ("GBSUP_SYNC_COMMAND", "sh -c 'git pull", "a quote or a backslash has no end in \"sh -c 'git pull\""),
        (
            "GBSUP_SYNC_COMMAND",
            "[git]",
            "expected words, or a list such as [\"one\", \"two\"], found \"[git]\"",
        ),
        (
            "GBSUP_REMEDY_FETCH",
            "true",
            "expected a duration such as \"24h\", \"10 min\" or \"90s\", found \"true\"",
        ),
    ] {
        let problems = env(&[(name, value)]).expect_err(value);
        assert!(problems[0].ends_with(reason), "{problems:?}");
    }
    // The file has types.
    for (value, found) in [("true", "true"), ("7", "7"), ("\"emaint sync -a\"", "\"emaint sync -a\"")] {
        let reason = format!("f:2: [sync] command: expected a list in brackets, found {found}");
        assert_eq!(problems(&format!("[sync]\ncommand = {value}")), [reason]);
    }
}

#[test]
fn durations_are_read_as_people_write_them() {
    for (written, seconds) in [
        ("90s", 90),
        ("10 min", 600),
        ("1h 30m", 5400),
        ("24h", 86_400),
        ("1 day", 86_400),
        ("2 weeks", 1_209_600),
    ] {
        let config = file(&format!("[cycle]\ninterval = \"{written}\"")).unwrap();
        assert_eq!(config.cycle.interval, Some(Duration::from_secs(seconds)), "{written}");
    }
}

#[test]
fn sizes_are_read_as_people_write_them() {
    for (written, bytes, shown) in [
        ("4 GiB", Some(4 << 30), "4 GiB"),
        ("2048MiB", Some(2 << 30), "2 GiB"),
        ("1500 MiB", Some(1500 << 20), "1500 MiB"),
        ("any", None, "any"),
    ] {
        let text = format!("[prune]\nlog_size = \"{written}\"");
        assert_eq!(file(&text).unwrap().prune.log_size, bytes, "{written}");
        let page = show(Some(("f", &text)), std::iter::empty()).unwrap();
        assert!(page.contains(&format!("log_size = \"{shown}\"")), "{page}");
    }
}

#[test]
fn a_cache_has_a_size_or_is_none() {
    for (written, bytes) in [("5 GiB", Some(5 << 30)), ("1024 KiB", Some(1 << 20)), ("none", None)] {
        let text = format!("[ccache]\nsize = \"{written}\"");
        assert_eq!(file(&text).unwrap().ccache.size.bytes(), bytes, "{written}");
    }
    assert_eq!(Config::default().ccache.size.bytes(), None);
    let page = show(Some(("f", "[ccache]\nsize = \"1024 KiB\"")), std::iter::empty()).unwrap();
    assert!(page.contains("size = \"1 MiB\""), "{page}");
}

#[test]
fn every_problem_is_reported_with_its_line() {
    let text = r#"
[buidl]
jobs = 2
[build]
targets = []
jobs = "many"
load_averge = 3
args = ["--jobs=3", "--exclude", "-pv", 7]
[stop]
grace = "0s"
level = "info"
[cycle]
interval = 24
[log]
level = "loud"
[volume]
path = "gbsup"
"#;
    assert_eq!(
        problems(text),
        [
            "f:2: [buidl]: unknown section; did you mean [build]?",
            "f:5: [build] targets: expected at least one set or atom, found none",
            "f:6: [build] jobs: expected \"auto\" or a whole number of at least 1, found \"many\"",
            "f:7: [build] load_averge: unknown key; did you mean load_average?",
            "f:8: [build] args: \"--jobs=3\" is decided by gbsup; set [build] jobs",
            "f:8: [build] args: \"-pv\" would build nothing",
            "f:8: [build] args: expected text in quotes, found 7",
            "f:10: [stop] grace: expected a duration from 1s to 1h, found \"0s\"",
            "f:11: [stop] level: belongs below [log]",
            "f:13: [cycle] interval: expected a duration such as \"24h\", \"10 min\" or \"90s\", found 24",
            "f:15: [log] level: expected \"error\" or \"warn\" or \"info\" or \"debug\" or \"trace\", found \"loud\"",
            "f:17: [volume] path: expected an absolute path, found \"gbsup\"",
        ]
    );
}

#[test]
fn a_broken_line_does_not_hide_the_others() {
    let found = problems("[build]\njobs = \n[stop]\ngrace = \"x\"\n[log\nlevel = 3\n");
    assert!(found.iter().any(|line| line.starts_with("f:2: ")), "{found:?}");
    assert!(found.iter().any(|line| line.starts_with("f:4: [stop] grace: ")), "{found:?}");
    assert!(found.iter().any(|line| line.starts_with("f:5: ")), "{found:?}");
    assert_eq!(found.iter().filter(|line| line.starts_with("f:2: ")).count(), 1, "{found:?}");
}

#[test]
fn keys_and_sections_in_the_wrong_place_are_named() {
    assert_eq!(problems("jobs = 3"), ["f:1: jobs: belongs below [build]"]);
    assert_eq!(
        problems("build = 3"),
        ["f:1: build: is a section: write [build] on a line of its own, its keys below"]
    );
    assert_eq!(problems("colour = 3"), ["f:1: colour: unknown key outside of any section"]);
    assert_eq!(problems("[build]\njobs = 1\njobs = 2").len(), 1);
}

#[test]
fn out_of_range_and_wrong_types_are_refused() {
    for text in [
        "[build]\njobs = 0",
        "[publish]\nkeep = 0",
        "[publish]\nclient_kernel = \"new\"",
        "[prune]\ncap = 0",
        "[prune]\ncap = 101",
        "[prune]\nlog_size = 5",
        "[prune]\nlog_size = \"5\"",
        "[prune]\nlog_size = \"-1 MiB\"",
        "[helpers]\nengine = \"ice\"",
        "[helpers]\nengine = true",
        "[ccache]\nsize = \"any\"",
        "[ccache]\nsize = \"0 MiB\"",
        "[ccache]\nsize = \"5G\"",
        "[build]\nstall = \"0s\"",
        "[build]\njobs = -1",
        "[build]\njobs = 99999999999999999999",
        "[build]\nload_average = 0.0",
        "[build]\nload_average = inf",
        "[build]\nload_average = nan",
        "[build]\ntargets = [\"\"]",
        "[build]\ntargets = [\"--update\"]",
        "[build]\ntargets = \"@world\"",
        "[build]\ntargets = [\"@world app-misc/hello\"]",
        "[build]\nargs = [\"a\\u0000b\"]",
        "[build]\nkeep_going = \"yes\"",
        "[cycle]\ninterval = \"-1h\"",
        "[cycle]\ninterval = \"1 month\"",
        "[cycle]\ninterval = \"\"",
        "[sync]\nretries = [\"0s\"]",
        "[sync]\nretries = \"1m\"",
        "[sync]\ncommand = [\"\"]",
        "[stop]\ngrace = \"99999999999999h\"",
        "[rebuild]\ncommands = [\"perl-cleaner --all\"]",
        "[rebuild]\nlinked = \"soname\"",
        "[[rebuild.commands]]\nwhen = \"dev-lang/perl\"",
        "[[rebuild.commands]]\nrun = []",
        "[[rebuild.commands]]\nrun = [\"true\"]\nif = 1",
        "[[rebuild.commands]]\nrun = [\"true\"]\nwhen = \"perl\"",
    ] {
        let found = problems(text);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
    }
}

#[test]
fn what_gbsup_decides_is_refused_in_args_in_every_spelling() {
    for refused in [
        "--ask",
        "--ask=y",
        "-a",
        "-va",
        "-j4",
        "--jobs",
        "-l2.0",
        "--pretend",
        "-C",
        "--quiet",
        "-q",
        "--sync",
    ] {
        let text = format!("[build]\nargs = [{refused:?}]");
        assert_eq!(problems(&text).len(), 1, "{refused}");
    }
    for passed in [
        "--exclude",
        "www-client/firefox",
        "-X",
        "-Xapp/jq",
        "--newuse",
        "-N",
        "--usepkg=n",
        "-D",
        "--verbose",
    ] {
        let text = format!("[build]\nargs = [{passed:?}]");
        assert_eq!(file(&text).map(|config| config.build.args), Ok(vec![passed.to_string()]));
    }
}

#[test]
fn the_environment_wins_over_the_file() {
    let config = all(
        Some("[build]\njobs = 2\n[stop]\ngrace = \"3s\""),
        &[
            ("GBSUP_BUILD_JOBS", "4"),
            ("GBSUP_BUILD_TARGETS", "@world app-misc/hello"),
            ("GBSUP_BUILD_ARGS", r#"["--exclude", "a/b c/d"]"#),
            ("GBSUP_BUILD_LOAD_AVERAGE", "none"),
            ("GBSUP_CYCLE_INTERVAL", "10 min"),
            ("GBSUP_CYCLE_ON_START", "false"),
            ("GBSUP_SYNC_RETRIES", "1s 2s"),
            ("GBSUP_SYNC_COMMAND", ""),
            ("GBSUP_REBUILD_COMMANDS", r#"[{ run = ["true"] }]"#),
            ("GBSUP_VOLUME_PATH", "/mnt/my volume"),
        ],
    )
    .unwrap();
    assert_eq!(config.build.jobs, Jobs::Exactly(4));
    assert_eq!(config.build.targets, ["@world", "app-misc/hello"]);
    assert_eq!(config.build.args, ["--exclude", "a/b c/d"]);
    assert_eq!(config.build.load_average, LoadAverage::None);
    assert_eq!(config.cycle, Cycle { interval: Some(Duration::from_mins(10)), on_start: false });
    assert_eq!(config.sync.retries, [1, 2].map(Duration::from_secs));
    assert_eq!(config.sync.command, [""; 0]);
    assert_eq!(config.rebuild.commands, [FollowUp { when: None, run: vec!["true".into()] }]);
    assert_eq!(config.volume.path, PathBuf::from("/mnt/my volume"));
    assert_eq!(config.stop.grace, Duration::from_secs(3));
}

#[test]
fn variables_that_are_wrong_are_named() {
    assert_eq!(
        env(&[
            ("GBSUP_BUILD_JOBS", "0"),
            ("GBSUP_BUILD_JOB", "2"),
            ("GBSUP_BUIDL_JOBS", "2"),
            ("GBSUP_BUILD_TARGETS", " "),
            ("GBSUP_STOP_GRACE", "8\ngrace = 3"),
        ]),
        Err(vec![
            "GBSUP_BUIDL_JOBS: unknown variable; did you mean GBSUP_BUILD_JOBS?".into(),
            "GBSUP_BUILD_JOB: [build] job: unknown key; did you mean jobs?".into(),
            "GBSUP_BUILD_JOBS: [build] jobs: expected \"auto\" or a whole number of at least 1, found 0".into(),
            "GBSUP_BUILD_TARGETS: [build] targets: expected at least one set or atom, found none".into(),
            "GBSUP_STOP_GRACE: [stop] grace: expected a duration such as \"24h\", \"10 min\" or \"90s\", found \"8\\ngrace = 3\"".into(),
        ])
    );
}

#[test]
fn variables_of_others_are_left_alone() {
    let variables = [
        ("GBSUP_RESTARTS", "3"),
        ("GBSUP_JOB", "/x"),
        ("GBSUP_SOCKET", "/x"),
        ("GBSUP_CONFIG", "/x"),
        ("GBSUP_SUPERVISOR", "x"),
        ("GBSUP_SERVICE_HOST", "10.0.0.1"),
        ("GBSUP_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
        ("PATH", "/bin"),
    ];
    assert_eq!(env(&variables), Ok(Config::default()));
}

/// Each of these is a line, and each needs its line number.
#[test]
fn very_many_problems_are_told_in_part() {
    let keys: Vec<String> = (0..50_000).map(|number| format!("bad{number} = 1\n")).collect();
    for text in [keys.concat(), format!("[build]\ntargets = [\n{}]\n", "  \" \",\n".repeat(100_000))] {
        let problems = check(Some(("gbsup.toml", &text)), std::iter::empty()).unwrap_err();
        let last = problems.iter().last().unwrap().to_string();
        assert_eq!(problems.iter().len(), 101, "{last}");
        assert!(last.starts_with("gbsup.toml:10") && last.contains("more problems from here on"), "{last}");
    }
}

#[test]
fn what_no_person_wrote_is_refused() {
    let deep = |depth: usize| {
        [
            format!("a = {}1{}", "[".repeat(depth), "]".repeat(depth)),
            format!("a = {}{}", "{a=".repeat(depth), "}".repeat(depth)),
            format!("a{} = 1", ".a".repeat(depth)),
            format!("[a{}]\nb = 1", ".a".repeat(depth)),
            format!("a = {}", "[".repeat(depth)),
        ]
    };
    for text in deep(100_000) {
        let problems = check(Some(("gbsup.toml", &text)), std::iter::empty()).unwrap_err();
        assert!(problems.to_string().len() < 500_000);
    }
    let long = "#\n".repeat(600_000);
    let problems = check(Some(("gbsup.toml", &long)), std::iter::empty()).unwrap_err();
    let told = "gbsup.toml: is longer than 1048576 bytes, so it is no configuration of gbsup";
    assert_eq!(problems.to_string(), told);
}

#[test]
fn peers_are_places_and_none_is_there_twice() {
    let text = "[http]\npeers = [\"desktop:8080\", \"http://me:secret@a\", \"http://a/x\", \"http://A:80\", \"http://a:80/\"]\n";
    assert_eq!(
        problems(text),
        [
            "f:2: [http] peers: expected a URL such as \"http://desktop:8080\": it does not begin with http:// or https://",
            "f:2: [http] peers: expected a URL such as \"http://desktop:8080\": a name or a password before the host is not sent",
            "f:2: [http] peers: expected a URL such as \"http://desktop:8080\": the pages of a builder are at the root, without a path",
            "f:2: [http] peers: \"http://a:80\" is there twice",
        ]
    );
    let peers = env(&[("GBSUP_HTTP_PEERS", "http://a:8080 http://tasks.builder:8080")]).unwrap().http.peers;
    assert_eq!(
        peers.iter().map(Peer::url).collect::<Vec<_>>(),
        ["http://a:8080", "http://tasks.builder:8080"]
    );
    let many: Vec<_> = (0..65).map(|n| format!("http://b{n}")).collect();
    let said = env(&[("GBSUP_HTTP_PEERS", &many.join(" "))]).unwrap_err();
    assert_eq!(said, ["GBSUP_HTTP_PEERS: [http] peers: expected 64 at most, found 65"]);
}
