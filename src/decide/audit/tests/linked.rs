//! What links to a library of which there is another version now.

use super::*;

#[test]
fn what_was_built_with_another_version_of_a_library() {
    const USER: &str = "a/user-1#5 DEPEND=>=a/lib-1 a/other; REQUIRES=x86_64: liba.so.1";
    let lib = |name: &str| format!("a/{name} PROVIDES=x86_64: liba.so.1");
    let told = |others: &[&str], user: &str| {
        let lines: Vec<String> = others.iter().map(|name| lib(name)).chain([user.to_owned()]).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).chain(["a/other-1"]).collect();
        let audit = Case::of(&lines).audit();
        assert_eq!((audit.held, audit.rebuild), (Vec::new(), Vec::new()));
        audit.linked.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let replaced = ["a/user-1 links to a/lib-2, and was built with a/lib-1"];
    let none = [""; 0];
    assert_eq!(told(&["lib-1#3", "lib-2#7"], USER), replaced);
    // The newest build before it counts: it was built again since, or the library was.
    assert_eq!(told(&["lib-1#3", "lib-2#4"], USER), none);
    assert_eq!(told(&["lib-2#3", "lib-2#7"], USER), none);
    assert_eq!(told(&["lib-1#3", "lib-1-r1#6", "lib-2#7"], USER), replaced);
    let revision = ["a/user-1 links to a/lib-2, and was built with a/lib-1-r1"];
    assert_eq!(told(&["lib-1#1", "lib-1-r1#5", "lib-2#7"], USER), revision);
    // Nobody knows what it was built with.
    assert_eq!(told(&["lib-2#7"], USER), none);
    assert_eq!(told(&["lib-1:1#3", "lib-2#7"], USER), none);
    // It links to the library, but not by itself; or it names it, and does not link.
    let change = |from: &str, to: &str| USER.replace(from, to);
    assert_eq!(told(&["lib-1#3", "lib-2#7"], &change(">=a/lib-1", "!a/lib")), none);
    assert_eq!(told(&["lib-1#3", "lib-2#7"], &change(">=a/lib-1", "x? ( a/lib )")), none);
    assert_eq!(
        told(
            &["lib-1#3", "lib-2#7"],
            &change("DEPEND", "USE=x; IUSE=x; DEPEND").replace(">=a/lib-1", "x? ( a/lib )")
        ),
        replaced
    );
    assert_eq!(told(&["lib-1#3", "lib-2#7"], &change("REQUIRES=x86_64: liba.so.1", "SIZE=1")), none);
}

#[test]
fn what_is_built_anew_for_a_library_is_installed_and_named_once() {
    let lines = [
        "a/lib-1#1 PROVIDES=x86_64: liba.so.1",
        "a/lib-2#7 PROVIDES=x86_64: liba.so.1",
        "b/lib-1#1 PROVIDES=x86_64: libb.so.1",
        "b/lib-2#7 PROVIDES=x86_64: libb.so.1",
        "a/user-1#5 DEPEND=a/lib b/lib; REQUIRES=x86_64: liba.so.1 libb.so.1; PROVIDES=x86_64: libuser.so.1",
        "a/past-1#5 DEPEND=a/lib; REQUIRES=x86_64: liba.so.1",
        "a/top-1#6 DEPEND=a/user; REQUIRES=x86_64: libuser.so.1",
    ];
    let here = [("a/lib-2#7", ""), ("b/lib-2#7", ""), ("a/user-1#5", ""), ("a/top-1#6", "")];
    let case = Case::of(&lines).installed(&here);
    let audit = case.audit();
    assert_eq!(audit.linked.len(), 3);
    let anew = outdated(&audit.linked, &case.installed);
    let anew: Vec<_> = anew.iter().map(ToString::to_string).collect();
    assert_eq!(anew, ["a/user-1 links to a/lib-2, and was built with a/lib-1"]);
    // What is built anew replaces nothing.
    let again = [&lines[..], &["a/user-1#8 DEPEND=a/lib b/lib; REQUIRES=x86_64: liba.so.1 libb.so.1; PROVIDES=x86_64: libuser.so.1"]].concat();
    let case = Case::of(&again).installed(&[
        ("a/lib-2#7", ""),
        ("b/lib-2#7", ""),
        ("a/user-1#8", ""),
        ("a/top-1#6", ""),
    ]);
    assert_eq!(outdated(&case.audit().linked, &case.installed), []);
}
