use tar::{Builder, Header};

use super::*;

/// A tar of these: its name as it is, a kind, and what is in it or where it leads.
fn tar(entries: &[(&str, EntryType, &str)]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (name, kind, data) in entries {
        let mut header = Header::new_gnu();
        header.set_entry_type(*kind);
        // `set_path` would refuse what is to be refused here.
        header.as_mut_bytes()[..name.len().min(100)].copy_from_slice(&name.as_bytes()[..name.len().min(100)]);
        let data = match kind {
            EntryType::Symlink | EntryType::Link => {
                header.as_mut_bytes()[157..157 + data.len()].copy_from_slice(data.as_bytes());
                ""
            }
            _ => data,
        };
        header.set_size(data.len() as u64);
        header.set_cksum();
        builder.append(&header, data.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap()
}

const FILE: EntryType = EntryType::Regular;
const WHOLE: [(&str, EntryType, &str); 3] = [
    ("machine.json", FILE, r#"{"schema": 1, "name": "laptop", "profile": "gentoo:default"}"#),
    (
        "installed.json",
        FILE,
        r#"{"schema": 1, "packages": [{"cpv": "a/b-1", "USE": "x\n y", "CONTENTS": "obj /x"}]}"#,
    ),
    ("left-out", FILE, "gnupg\n"),
];

fn with(entry: (&str, EntryType, &str)) -> Vec<u8> {
    tar(&[&[entry][..], &WHOLE].concat())
}

#[test]
fn what_a_client_prints_is_taken() {
    let entries = [
        ("portage", EntryType::Directory, ""),
        ("portage/package.use", EntryType::Directory, ""),
        ("portage/package.use/own", FILE, "a/b -x\n"),
        ("portage/make.profile", EntryType::Symlink, "../../var/db/repos/gentoo/profiles/default"),
        ("world", FILE, "a/b\n"),
    ];
    let capture = read(&tar(&[&entries[..], &WHOLE].concat())).unwrap();
    assert_eq!(capture.portage["package.use/own"], Node::File(b"a/b -x\n".to_vec()));
    assert_eq!(
        capture.portage["make.profile"],
        Node::Link("../../var/db/repos/gentoo/profiles/default".into())
    );
    assert_eq!(capture.world["world"], b"a/b\n");
    assert_eq!(
        (capture.machine.name.as_str(), capture.left_out.as_slice()),
        ("laptop", &["gnupg".to_owned()][..])
    );
    let (cpv, values) = capture.installed.first_key_value().unwrap();
    assert_eq!((cpv.as_str(), values), ("a/b-1", &[("USE", "x y".to_owned())].into()));
    // As `tar -c .` has it.
    let dotted = tar(&[
        ("./", EntryType::Directory, ""),
        ("./portage/", EntryType::Directory, ""),
        ("./portage/make.conf", FILE, "USE=\"\"\n"),
        ("./machine.json", FILE, WHOLE[0].2),
        ("./installed.json", FILE, WHOLE[1].2),
        ("./left-out", FILE, ""),
    ]);
    assert!(read(&dotted).unwrap().portage.contains_key("make.conf"));
}

#[test]
fn what_names_programs_is_not_heeded() {
    let plain = Capture::default();
    let own = Capture { portage: [(PROFILE.to_owned(), Node::Directory)].into(), ..Capture::default() };
    for path in [
        "make.conf",
        "make.conf/own",
        "package.use/a/b",
        "profile/use.mask",
        "make.profile/parent",
        "env/x",
        "sets/own",
    ] {
        assert!(plain.heeds(path) && own.heeds(path), "{path}");
    }
    for path in ["base/packages", "base/parent"] {
        assert!(!plain.heeds(path) && own.heeds(path), "{path}");
    }
    for path in [
        "bashrc",
        "bashrc/x",
        "package.bashrc",
        "modules",
        "repos.conf/x",
        "repo.postsync.d/x",
        "postsync.d/x",
        "sets.conf",
        "binrepos.conf",
        "make.profile/profile.bashrc",
        "base/profile.bashrc",
        "profile/package.bashrc",
        "profile/bashrc/x",
    ] {
        assert!(!plain.heeds(path) && !own.heeds(path), "{path}");
    }
}

#[test]
fn hostile_tars_are_refused_with_the_reason() {
    let kind = |name: &str, kind: &'static str| Refused::Kind(name.into(), kind);
    let name = |name: &str| Refused::Name(name.into());
    let deep = "portage/".to_owned() + &"d/".repeat(20) + "x";
    let cases = [
        (with(("portage/../../etc/passwd", FILE, "")), name("portage/../../etc/passwd")),
        (with(("/etc/passwd", FILE, "")), name("/etc/passwd")),
        (with(("/", EntryType::Directory, "")), name("/")),
        (with(("portage//x", FILE, "")), name("portage//x")),
        (with(("portage/./x", FILE, "")), name("portage/./x")),
        (with(("portage/a\nb", FILE, "")), name("portage/a\nb")),
        (with((&deep, FILE, "")), name(&deep)),
        (with(("portage/x", EntryType::Symlink, "/etc/shadow")), kind("portage/x", "a link")),
        (with(("make.profile", EntryType::Symlink, "/")), kind("make.profile", "a link")),
        (with(("portage/x", EntryType::Link, "/etc/shadow")), kind("portage/x", "a hard link")),
        (with(("portage/x", EntryType::Block, "")), kind("portage/x", "a device")),
        (with(("portage/x", EntryType::Fifo, "")), kind("portage/x", "a pipe")),
        (with(("passwd", FILE, "")), Refused::Foreign("passwd".into())),
        (with(("world/x", FILE, "")), Refused::Foreign("world/x".into())),
        (with(("portage", FILE, "")), Refused::Foreign("portage".into())),
        (with(("machine.json", FILE, "{}")), Refused::Twice("machine.json".into())),
        (
            tar(&[&[("portage/x", FILE, ""), ("portage/x", FILE, "y")][..], &WHOLE].concat()),
            Refused::Twice("portage/x".into()),
        ),
        (
            tar(&[&[("portage/x", FILE, ""), ("portage/x/y/z", FILE, "")][..], &WHOLE].concat()),
            Refused::Below("portage/x/y/z".into()),
        ),
        (
            tar(&[
                &[
                    ("portage/make.profile", EntryType::Symlink, "/"),
                    ("portage/make.profile/etc/x", FILE, ""),
                ][..],
                &WHOLE,
            ]
            .concat()),
            Refused::Below("portage/make.profile/etc/x".into()),
        ),
        (tar(&WHOLE[..1]), Refused::Lacks("installed.json")),
        (tar(&WHOLE[..2]), Refused::Lacks("left-out")),
        (tar(&WHOLE[1..]), Refused::Lacks("machine.json")),
        (tar(&[]), Refused::Lacks("machine.json")),
        (with(("portage/x", FILE, &"x".repeat(5 << 20))), Refused::TooLarge("portage/x".into(), 4)),
        (b"\x1f\x8b\x08".to_vec(), Refused::Compressed("gzip")),
        (Vec::new(), Refused::Empty),
        (vec![0; (32 << 20) + 1], Refused::TooLong),
        (tar(&[("machine.json", FILE, r#"{"schema": 2}"#)]), Refused::Later("machine.json", 2)),
    ];
    for (bytes, why) in cases {
        assert_eq!(read(&bytes).map(|_| ()), Err(why));
    }
    let evil = tar(&[("installed.json", FILE, r#"{"packages": [{"cpv": "../../etc-1"}]}"#)]);
    assert!(matches!(read(&evil), Err(Refused::Unreadable("installed.json", _))));
    let many: Vec<_> = (0..=ENTRIES).map(|n| format!("portage/{n}")).collect();
    let many: Vec<_> = many.iter().map(|name| (name.as_str(), FILE, "")).collect();
    assert_eq!(read(&tar(&many)).map(|_| ()), Err(Refused::TooMany));
    assert!(matches!(
        read(b"<html>404</html>"),
        Err(Refused::Cut(_) | Refused::NoTar(_) | Refused::Lacks(_))
    ));
}

#[test]
fn a_tar_that_is_cut_anywhere_is_noticed() {
    let whole = with(("portage/make.conf", FILE, "USE=\"x\"\n"));
    for end in 0..whole.len() {
        // What is behind the last entry is padding.
        if read(&whole[..end]).is_ok() {
            assert!(whole[end..].iter().all(|byte| *byte == 0), "{end}");
        }
    }
}
