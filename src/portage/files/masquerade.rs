//! Directories of links that have the names of compilers and lead to a program which comes between: ccache, icecc, distcc.

/// Where Portage looks for the links of a program; it takes the first directory that is there and puts it at the front of `PATH`
/// (`portage/package/ebuild/doebuild.py:doebuild_environment`). There the first is the profile's own `LIBDIR`, here `lib64`.
pub(crate) fn places(program: &str) -> impl Iterator<Item = String> {
    let libraries = ["lib64", "lib", "libexec"].into_iter();
    libraries.flat_map(move |library| {
        let links = format!("/usr/{library}/{program}");
        [format!("{links}/bin"), links]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_of_its_own_goes_before_what_it_is_in() {
        let icecc = [
            "/usr/lib64/icecc/bin",
            "/usr/lib64/icecc",
            "/usr/lib/icecc/bin",
            "/usr/lib/icecc",
            "/usr/libexec/icecc/bin",
            "/usr/libexec/icecc",
        ];
        assert!(places("icecc").eq(icecc));
    }
}
