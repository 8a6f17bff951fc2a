//! Packages that demand another kernel than there is.

use gbsup::model::release::Release;

use crate::support::{Builder, Recipe};

/// A program as every other one; a library that its note of the ABI keeps from all kernels that there are.
const PLAIN: &str = "EAPI=8\ninherit test-control\nDESCRIPTION=\"A program\"\nSLOT=\"0\"\n\
                     src_compile() {\n\techo 'int main(void) { return 0; }' >plain.c\n\tgcc -o plain plain.c || die\n}\n\
                     src_install() {\n\tdobin plain\n}\n";
const FUTURE: &str = r#"EAPI=8
inherit test-control
DESCRIPTION="A library for Linux 99"
SLOT="0"
src_compile() {
	cat >note.s <<-END
		.section .note.ABI-tag, "a", @note
		.align 4
		.long 4, 16, 1
		.asciz "GNU"
		.long 0, 99, 0, 0
		.section .note.GNU-stack, "", @progbits
	END
	echo 'int future(void) { return 99; }' >future.c
	gcc -shared -fPIC -nostdlib -Wl,-soname,libfuture.so.1 -o libfuture.so.1 future.c note.s || die
}
src_install() {
	dolib.so libfuture.so.1
}
"#;
const OF_FUTURE: &str = "of test-quick/future-1 demands Linux 99.0.0, and this machine's is ";

/// What the status says of kernels.
fn warned(builder: &Builder) -> Vec<String> {
    let warnings = builder.status().warnings;
    warnings.into_iter().filter(|warning| warning.contains(" demands Linux ")).collect()
}

fn configure(builder: &Builder, kernel: &str) {
    builder.sh(&format!("printf '[publish]\\nclient_kernel = \"{kernel}\"\\n' >/etc/gbsup/gbsup.toml"));
    builder.signal("HUP");
}

#[test]
fn a_package_for_a_newer_kernel_is_told() {
    let config = "[publish]\nclient_kernel = \"3.0\"\n";
    let mut builder = Recipe::new(&["test-quick/plain"])
        .in_tree("test-quick/plain/plain-1.ebuild", PLAIN)
        .in_tree("test-quick/future/future-1.ebuild", FUTURE)
        .config(config)
        .start();
    builder.wait_waiting();
    let said = "/usr/bin/plain of test-quick/plain-1 demands Linux 3.2.0, and publish.client_kernel is 3.0.0: \
                with a glibc before 2.36 it is not found there";
    assert_eq!(warned(&builder), [said]);

    configure(&builder, "");
    builder.set_world(&["test-quick/plain", "test-quick/future"]);
    builder.gbsup(&["sync"]).ok();
    builder.wait_cycle(2);
    builder.wait_waiting();
    let release = builder.sh("cat /var/lib/gbsup/releases/current/release.json");
    let release: Release = serde_json::from_str(&release).expect("release.json");
    let demands = |name: &str| {
        let entry = release.packages.iter().find(|entry| entry.cpv.to_string() == name).expect("it is there");
        entry.kernel.as_ref().map(|demand| demand.kernel.to_string())
    };
    assert_eq!(demands("test-quick/plain-1").as_deref(), Some("3.2.0"));
    assert_eq!(demands("test-quick/future-1").as_deref(), Some("99.0.0"));
    let changes = builder.sh("cat /var/lib/gbsup/releases/current/CHANGES");
    assert!(
        changes.contains("\nIt demands Linux 99.0.0 or newer (") && changes.contains("/libfuture.so.1 of "),
        "{changes}"
    );
    let [warning] = &warned(&builder)[..] else { panic!("one warning: {:?}", warned(&builder)) };
    assert!(warning.contains(OF_FUTURE), "{warning}");
    let listed = builder.gbsup(&["releases"]).ok();
    let told: Vec<_> = listed.lines().map(|line| line.contains(OF_FUTURE)).collect();
    assert_eq!(told, [true, false], "{listed}");

    // That all clients have such a kernel does not help this machine, whose builds may need the library as well.
    configure(&builder, "99.0");
    builder.gbsup(&["publish"]).ok();
    builder.wait_cycle(3);
    builder.wait_waiting();
    let [warning] = &warned(&builder)[..] else { panic!("one warning: {:?}", warned(&builder)) };
    assert!(warning.contains(OF_FUTURE), "{warning}");

    builder.set_world(&["test-quick/plain"]);
    builder.sh(
        "emerge --quiet --unmerge test-quick/future && rm -r /var/lib/gbsup/binpkgs/test-quick/future && \
                emaint --fix binhost",
    );
    builder.gbsup(&["sync"]).ok();
    builder.wait_cycle(4);
    builder.wait_waiting();
    assert_eq!(warned(&builder), [""; 0]);
    builder.assert_tidy();
}
