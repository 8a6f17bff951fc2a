//! What brings a tree to a client that has no git, with what is in a store.

use std::fmt::Write as _;

use super::*;

const OBJECTS: &str = include_str!("../../../render/client/objects.py");
const BRING: &str = include_str!("../../../render/client/bring.py");

impl Place {
    fn client(&self) -> PathBuf {
        self.0.path().join("client")
    }

    /// Has a client sync; what it said, or how that failed.
    fn sync(&self, again: &[&str]) -> Result<String, String> {
        let base = format!("file://{}/", self.releases().join("tree").display());
        let client = self.client();
        let client = client.to_str().unwrap();
        let places = format!("{{\"own\": {client:?}}}");
        let settings = format!("BASE = {base:?}\nSCRIPT = 'client.sh'\nKEY = ''\nPLACES = {places}\n");
        let uri = format!("file://{client}");
        let args = [&["own", &uri, client], again].concat();
        let (said, is_done) = python(&args, &(settings + OBJECTS + "\n" + BRING));
        if is_done { Ok(said) } else { Err(said) }
    }

    /// Offers a commit of what is in the repository now.
    fn offer(&self, last: Option<(Id, Id)>, made: i64) -> (Id, Id) {
        let tree = self.gather().unwrap();
        let message = format!("release {made}");
        let commit = Commit { tree, parent: last.map(|last| last.0), time: made, message: &message };
        let id = write_commit(&self.store(), &commit, None::<&Nobody>).unwrap();
        if let Some(last) = last {
            write_step(&self.store(), last, (id, tree), made.try_into().unwrap()).unwrap();
        }
        self.point(id);
        (id, tree)
    }

    fn point(&self, commit: Id) {
        fs::create_dir_all(self.git().join("info")).unwrap();
        fs::write(self.git().join("info/refs"), format!("{commit}\trefs/heads/main\n")).unwrap();
    }

    /// What the client has, as the builder would name it.
    fn tree_of_client(&self) -> Id {
        let place = tempfile::tempdir().unwrap();
        let store = Store::of(place.path(), "own");
        gather(&store, &self.client(), || u64::MAX, || false).unwrap()
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.client().join(path)).unwrap_or_default()
    }
}

#[test]
fn a_client_without_git_gets_every_file_as_it_is() {
    let place = Place::new();
    place.write("a/b/b-1.ebuild", "EAPI=8\n");
    place.write("a/b.c/long", "x".repeat(200_000));
    place.write("a/b/files/run", "#!/bin/sh\n");
    let run = place.repository().join("a/b/files/run");
    fs::set_permissions(&run, fs::Permissions::from_mode(0o755)).unwrap();
    symlink("b-1.ebuild", place.repository().join("a/b/link")).unwrap();
    for number in 0..200 {
        place.write(&format!("a/p{number}/p{number}-1.ebuild"), format!("EAPI=8\nSLOT={number}\n"));
    }
    let first = place.offer(None, 1_700_000_000);
    let said = place.sync(&[]).unwrap();
    assert!(said.starts_with("own: release 1700000000 ("), "{said}");
    assert_eq!(place.sync(&[]), Ok(String::new()), "nothing is new");
    assert_eq!(place.tree_of_client(), first.1);
    // A tree of which nobody knows what it is serves as the one before all the same.
    fs::remove_file(place.client().join(".gbsup-commit")).unwrap();
    let said = place.sync(&[]).unwrap();
    assert!(said.starts_with("own: release 1700000000 ("), "{said}");

    // By what is new alone: the packs are not there.
    place.write("a/p7/p7-2.ebuild", "EAPI=8\nSLOT=7\n# newer\n");
    place.write("a/b.c/long", "x".repeat(100_000) + "y" + &"x".repeat(100_000));
    let second = place.offer(Some(first), 1_700_000_100);
    fs::remove_file(place.repository().join("a/p7/p7-1.ebuild")).unwrap();
    let third = place.offer(Some(second), 1_700_000_200);
    let packs = place.git().join("objects/pack");
    fs::rename(&packs, place.git().join("aside")).unwrap();
    let said = place.sync(&[]).unwrap();
    assert!(said.starts_with("own: release 1700000200 (") && said.ends_with(" kB fetched)\n"), "{said}");
    assert_eq!((place.read("a/p7/p7-1.ebuild"), place.read("a/p7/p7-2.ebuild").len()), (String::new(), 22));

    // What was changed here is not to be had from there; what lies there is put right as soon as it is.
    fs::write(place.client().join("a/b/b-1.ebuild"), "EAPI=7\n").unwrap();
    let said = place.sync(&[]).unwrap_err();
    let words = "!!! own: the tree is not as it was signed any more: what came from the builder is not what it offers (";
    assert!(said.starts_with(words) && said.ends_with("): emaint sync -r own\n"), "{said}");
    assert_eq!(place.read("../.gbsup-why-own"), said);
    fs::rename(place.git().join("aside"), &packs).unwrap();
    place.sync(&[]).unwrap();
    assert_eq!((place.read("a/b/b-1.ebuild"), place.tree_of_client()), ("EAPI=8\n".to_owned(), third.1));
    let left: Vec<_> =
        fs::read_dir(place.0.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 3, "{left:?}");
}

#[test]
fn a_client_without_git_goes_back_when_that_is_said_anew() {
    let place = Place::new();
    place.write("a/b/b-1.ebuild", "EAPI=8\n");
    let first = place.offer(None, 1_700_000_000);
    place.write("a/b/b-2.ebuild", "EAPI=8\n");
    let second = place.offer(Some(first), 1_700_000_100);
    place.sync(&[]).unwrap();
    fs::remove_file(place.repository().join("a/b/b-2.ebuild")).unwrap();
    let third = place.offer(Some(second), 1_700_000_200);
    assert_eq!(third.1, first.1);
    place.sync(&[]).unwrap();
    assert_eq!(place.read("a/b/b-2.ebuild"), "");
    // What was offered once, said by nobody knows whom.
    place.point(second.0);
    let said = place.sync(&[]).unwrap_err();
    assert!(said.contains("(release 1700000100) is older than what is here (release 1700000200)"), "{said}");
    assert!(said.ends_with(": to take it all the same: sh client.sh setup --tree\n"), "{said}");
    place.sync(&["again"]).unwrap();
    assert_eq!(place.tree_of_client(), second.1);
    // Of another name, and of none.
    place.write("profiles/repo_name", "other\n");
    place.offer(Some(third), 1_700_000_300);
    let said = place.sync(&[]).unwrap_err();
    assert!(said.contains("what is offered is not the repository own"), "{said}");
    fs::remove_dir_all(place.git().join("info")).unwrap();
    let said = place.sync(&[]).unwrap_err();
    assert!(said.contains("the builder does not offer it (publish.trees)"), "{said}");
    assert_eq!(place.read("a/b/b-2.ebuild"), "EAPI=8\n");
}

#[test]
fn what_no_builder_writes_is_refused_before_it_is_anywhere() {
    let id = "b'x' * 20";
    let mut asked = format!("{OBJECTS}\nimport io\n");
    for name in ["..", ".", "", "a/b", "/etc", ".git", ".GIT", "git~1", ".gbsup-commit"] {
        writeln!(asked, "refused(lambda: entries_of(b'100644 {name}\\0' + {id}))").unwrap();
    }
    for content in ["b'100644 a'", "b'100644 a\\0short'", "b'160000 a\\0' + b'x' * 20", "b'\\0' * 30"] {
        writeln!(asked, "refused(lambda: entries_of({content}))").unwrap();
    }
    // A base of another length, more than there is of it, nothing, more than is said, less than is said.
    for delta in
        ["5, 1, 1, 120", "4, 9, 0x90, 9", "4, 1, 0", "4, 1, 3, 1, 1, 1", "4, 9, 0x90, 4", "4, 1, 9, 1"]
    {
        writeln!(asked, "refused(lambda: patched(b'base', bytes([{delta}])))").unwrap();
    }
    asked += "assert patched(b'base', bytes([4, 7, 0x90, 4, 3, 1, 2, 3])) == b'base\\1\\2\\3'\n";
    // A pack that is none, of fewer objects than it says, of a kind that is none, of more bytes than are said, and of fewer, and of a file
    // that is too long.
    asked += "PACK = b'PACK' + bytes([0, 0, 0, 2, 0, 0, 0, 1])\n";
    for pack in [
        "b''",
        "b'PACX' + PACK[4:]",
        "PACK",
        "PACK + bytes([0x63]) + zlib.compress(b'abc')",
        "PACK + bytes([0x32]) + zlib.compress(b'abc')",
        "PACK + bytes([0x34]) + zlib.compress(b'abc')",
        "PACK + bytes([0x33]) + b'no zlib at all'",
        "PACK + bytes([0xb0, 0x80, 0x80, 0x80, 0x7f]) + zlib.compress(b'abc')",
        "PACK + bytes([0x73]) + b'x' * 20 + zlib.compress(bytes([0, 1, 1]))",
    ] {
        writeln!(asked, "refused(lambda: taken({pack}))").unwrap();
    }
    asked +=
        "assert name_of(b'blob', b'abc') in taken(PACK + bytes([0x33]) + zlib.compress(b'abc')).places\n";
    let program = asked.replacen(
        "\nimport io\n",
        "\nimport io\nKEY = ''\n\
         def refused(call):\n    try:\n        call()\n    except (Damaged, IndexError):\n        return\n    raise AssertionError(\"taken\")\n\
         def taken(pack):\n    objects = Objects(Here('/nonexistent'), '/tmp')\n    objects.spool.write(pack)\n    objects.spool.flush()\n    \
         objects.take(0)\n    return objects\n",
        1,
    );
    let (said, is_done) = python(&[], &program);
    assert!(is_done, "{said}");
}
