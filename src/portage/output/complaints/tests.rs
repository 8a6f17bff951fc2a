use super::*;

fn sentences(text: &str) -> Vec<String> {
    read(text.as_bytes()).iter().map(Complaint::sentence).collect()
}

/// What `portageq envvar` and `portageq best_visible` of Portage 3.0.83 printed.
#[test]
fn what_portage_says_of_files_it_cannot_read() {
    for (text, want) in [
        (
            "\"/etc/portage/make.conf/make.conf\", line 6: /nope: No such file or directory\n\
             \"/etc/portage/make.conf/make.conf\", line 6: /nope: No such file or directory\nARCH=amd64\n",
            "/etc/portage/make.conf/make.conf, line 6: /nope: No such file or directory",
        ),
        (
            "\"/etc/portage/make.conf\", line 5: Invalid token 'line' (not '=')\n",
            "/etc/portage/make.conf, line 5: Invalid token 'line' (not '=')",
        ),
        (
            "--- Invalid atom in /etc/portage/package.use/y: test-quick/t4[\n",
            "Invalid atom in /etc/portage/package.use/y: test-quick/t4[",
        ),
        (
            "!!! Error while reading repo config file: Source contains parsing errors: '/etc/portage/repos.conf'\n\
             \t[line  9]: '[pocket\\n'\nARCH=amd64\n",
            "/etc/portage/repos.conf, line 9: Error while reading repo config file: Source contains parsing \
             errors: '/etc/portage/repos.conf' [line  9]: '[pocket\\n'",
        ),
        (
            "!!! Error while reading repo config file: While reading from '/etc/portage/repos.conf/b.conf' [line 12]: section \
             'mine' already exists\n",
            "/etc/portage/repos.conf/b.conf, line 12: Error while reading repo config file: While reading from \
             '/etc/portage/repos.conf/b.conf' [line 12]: section 'mine' already exists",
        ),
        (
            "!!! Section 'other' in repos.conf is missing location attribute\n",
            "/etc/portage/repos.conf: Section 'other' in repos.conf is missing location attribute",
        ),
        (
            "!!! /etc/portage/package.env references non-existent file: /etc/portage/env/nope.conf\n",
            "/etc/portage/package.env references non-existent file: /etc/portage/env/nope.conf",
        ),
        (
            "!!! Error while reading repo config file: File contains no section headers.\n\
             file: '/etc/portage/repos.conf/b.conf', line: 1\n'[x\\n'\n",
            "/etc/portage/repos.conf/b.conf, line 1: Error while reading repo config file: File contains no section \
             headers.",
        ),
        (
            "!!! Repository 'o' is missing masters attribute in '/srv/o/metadata/layout.conf'\n\
             !!! Set 'masters = pocket' in this file for future compatibility\n",
            "Repository 'o' is missing masters attribute in '/srv/o/metadata/layout.conf': Set 'masters = pocket' in this \
             file for future compatibility",
        ),
        (
            "!!! Repository name or alias 'pocket', defined for repository 'o', overrides existing alias or repository.\n",
            "Repository name or alias 'pocket', defined for repository 'o', overrides existing alias or repository.",
        ),
        (
            "/usr/lib/python3/x.py:5: SyntaxWarning: invalid escape sequence '\\d'\n\
             /usr/lib/python3/dist-packages/portage/repository/config.py:1585: SyntaxWarning: Repository named 'o' specifies \
             'manifest-required-hashes' setting without corresponding 'manifest-hashes'.\n  warnings.warn(\n",
            "Repository named 'o' specifies 'manifest-required-hashes' setting without corresponding 'manifest-hashes'.",
        ),
        (
            "\x1b[31;01m!!! BINPKG_COMPRESS unsupported lz4. Missing package: app-arch/lz4\x1b[39;49;00m\n",
            "/etc/portage/make.conf: BINPKG_COMPRESS unsupported lz4. Missing package: app-arch/lz4",
        ),
    ] {
        assert_eq!(sentences(text), [want], "{text}");
    }
    let harmless = "ARCH=amd64\nFOO='!!! Section'\n!!! Section 'other' in repos.conf has location attribute set to \
                    nonexistent directory: '/nope'\n";
    assert_eq!(sentences(harmless), [""; 0]);
    let profile = "!!! Unable to parse profile: '/etc/portage/make.profile'\n\
                   !!! ParseError: Profile contains unsupported EAPI '99': '/p/eapi'\n";
    let found = read(profile.as_bytes());
    assert_eq!((found[0].weight, found.len()), (Weight::Profile, 1));
    assert!(found[0].words.ends_with("ParseError: Profile contains unsupported EAPI '99': '/p/eapi'"));
}

#[test]
fn lines_are_looked_up() {
    let mut complaint = read(b"--- Invalid atom in /etc/portage/package.mask: test quick/t4\n").remove(0);
    complaint.locate("# a comment\n\n  test   quick/t4\n");
    let sentence = "/etc/portage/package.mask, line 3: Invalid atom: test quick/t4";
    assert_eq!(complaint.sentence(), sentence);
    let mut complaint =
        read(b"\"/etc/portage/make.conf\", line 3: /nope: No such file or directory\n").remove(0);
    complaint.locate("FOO=1\nsource \"/nope\"\n");
    assert_eq!(complaint.line, Some(2));
    for (told, text, line) in [
        (
            "--- Invalid atom in /e/k: test-quick/",
            "test-quick/t4 ~amd64\n# test-quick/\ntest-quick/ ~amd64\n",
            3,
        ),
        ("--- Invalid atom in /e/packages: a/", "*a/b\n-*a/\n", 2),
        ("--- Invalid USE flag in '/e/use.mask': '++x'", "++xy\n-++x # why\n", 2),
        ("--- Invalid USE flag for 'a/b' in '/e/force': '+-'", "a/b fine\na/b fine +-\n", 2),
        ("Invalid package name in package.provided: a/b", "a/b-1\na/b\n", 2),
        ("!!! Section 'two' in repos.conf is missing location attribute", "[one]\n[two]\n", 2),
        ("!!! Repository 'two' has sync-type attribute, but is missing sync-uri attribute", "[two]\n", 1),
        ("!!! Invalid sync-depth setting for repo two: x", "# [two]\n\n[two]\n", 3),
        (
            "!!! Error while reading repo config file: Bad value substitution: option 'location' in section 'two' contains \
             an interpolation key 'x'",
            "[one]\nx=1\n[two]\n",
            3,
        ),
    ] {
        let mut complaint = read(told.as_bytes()).remove(0);
        assert!(complaint.locate(text), "{told}");
        assert_eq!(complaint.line, Some(line), "{told}");
    }
    let mut complaint = read(b"--- Invalid USE flag in '/e/use.mask': '++x'\n").remove(0);
    complaint.locate("++x\n");
    assert_eq!(complaint.sentence(), "/e/use.mask, line 1: Invalid USE flag: '++x'");
    let file = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    let files = [file("a", "FOO=1\n# BAR=2\n export BAR = 3\nBAR=\"4\"\n"), file("b", "FOOBAR=1\nFOO='2'\n")];
    assert_eq!(assignment(&files, "FOO", ""), Some(("b", 2)));
    assert_eq!(assignment(&files, "BAR", ""), Some(("a", 4)));
    assert_eq!(assignment(&files, "BAZ", ""), None);
    // What adds up is the fault of the file that brings it in.
    let features = [
        file("a", "FEATURES=\"ccache binpkg-signing\"\n"),
        file("b", "FEATURES='buildpkg'\nFEATURES=\"${FEATURES} parallel-fetch\"\n"),
    ];
    let about = "Portage is to sign (FEATURES=binpkg-signing), and has no key";
    assert_eq!(assignment(&features, "FEATURES", about), Some(("a", 1)));
    assert_eq!(assignment(&features, "FEATURES", "buildpkg is wanted"), Some(("b", 1)));
    assert_eq!(assignment(&features, "FEATURES", "something else"), Some(("b", 2)));
    let named = after_atoms("# x\ncat/a one two # three\n\ncat/b one\n");
    assert_eq!(named, [(2, "one".to_owned()), (2, "two".to_owned()), (4, "one".to_owned())]);
}

/// What `portageq best_visible` and `emerge --list-sets` of Portage 3.0.83 ended with.
#[test]
fn exceptions() {
    let modules = b"Traceback (most recent call last):\n  File \"/x.py\", line 323, in load_mod\n    mod = __import__(modname)\n\
        \x20         ^^^^^^\nModuleNotFoundError: No module named 'portage.cache.nope'\n";
    let told = exception(modules).unwrap();
    assert_eq!(told.sentence(), "ModuleNotFoundError: No module named 'portage.cache.nope'");
    let sets = b"Traceback (most recent call last):\n  File \"/x.py\", line 1, in y\n\
        configparser.MissingSectionHeaderError: File contains no section headers.\nfile: '/etc/portage/sets.conf', line: 1\n'[x\\n'\n";
    let sentence = "/etc/portage/sets.conf, line 1: configparser.MissingSectionHeaderError: File contains no section headers";
    assert_eq!(exception(sets).unwrap().sentence(), sentence);
    let system = b"Traceback (most recent call last):\n  File \"/x.py\", line 1, in y\n\
        IsADirectoryError: [Errno 21] Is a directory: '/etc/portage/categories'\n";
    let told = exception(system).unwrap();
    assert_eq!((told.weight, told.file.as_deref()), (Weight::Fatal, Some("/etc/portage/categories")));
    assert_eq!(exception(b"sys-apps/portage-3.0.83\n"), None);
}

/// Portage 3.0.83 says nothing of any of these.
#[test]
fn words_that_do_nothing() {
    let text = "# a\ncat/a foo -bar +baz x265 abi_x86_32 python_targets: python3_13 -* VIDEO_CARDS: nvidia # no,comment\n\
                cat/b foo,bar -\ncat/c ,\n";
    let word = |line: usize, word: &str| (line, word.to_owned());
    assert_eq!(odd_words(text, is_flag), [word(3, "foo,bar"), word(3, "-"), word(4, ",")]);
    let text = "cat/a\ncat/b ~amd64 -amd64 -~x86 ** * ~* ~x64-macos\ncat/c ~~amd64 amd64, ~\n";
    assert_eq!(odd_words(text, is_keyword), [word(3, "~~amd64"), word(3, "amd64,"), word(3, "~")]);
    let sets = "[a]\nclass = portage.sets.files.StaticFileSet\nfilename = /nope\n[b]\ndirectory=${repository:x}/sets\n";
    assert_eq!(files_of_sets(sets), [word(3, "/nope")]);
}

/// What `bash -n` of bash 5.2 printed.
#[test]
fn scripts_that_bash_does_not_read() {
    let text = b"/etc/portage/bashrc: line 3: unexpected EOF while looking for matching `\"'\n\
        /etc/portage/bashrc: line 5: syntax error: unexpected end of file\n/e/env/a/b: line 1: syntax error near unexpected token `)'\n\
        /e/env/a/b: line 1: `)'\n";
    let told: Vec<_> = of_bash(text).iter().map(Complaint::sentence).collect();
    assert_eq!(
        told,
        [
            "/etc/portage/bashrc, line 3: unexpected EOF while looking for matching `\"'",
            "/e/env/a/b, line 1: syntax error near unexpected token `)'"
        ]
    );
}

#[test]
fn sets_that_are_not_there() {
    let wanted = ["@world", "@mine", "cat/pkg"].map(str::to_owned);
    assert_eq!(unknown_sets(&wanted, b"selected\nworld\n"), ["mine"]);
    assert_eq!(unknown_sets(&wanted, b"mine\nworld\n"), [""; 0]);
    assert_eq!(unknown_sets(&wanted, b"Traceback\n"), [""; 0], "nothing was understood");
}
