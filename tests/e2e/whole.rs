//! Packages that are whole and cannot be used: found so while a cycle runs, or packed as no client can read them.

use gbsup::model::failure::{Class, Failure};
use gbsup::model::status::Mode;

use crate::sign::KEYS;
use crate::support::{Builder, Recipe};

/// Syncs as usual, and does once what a test has for the moment between the preflight and the build.
const SYNC: &str = "emaint sync -a\ncode=$?\n[ ! -e /root/meanwhile ] || { mv /root/meanwhile /root/done; bash -e /root/done >&2; }\nexit $code\n";

/// Has it happen in the next cycle.
fn meanwhile(builder: &mut Builder, what: &str) {
    builder.sh(&format!("cat >/root/meanwhile <<'end'\n{what}\nend"));
    builder.gbsup(&["sync"]).ok();
    builder.wait_for("it runs", |status| status.state == Mode::Running);
}

#[track_caller]
fn unusable(builder: &mut Builder, step: &str, words: &str) -> Failure {
    let status = builder.wait_paused();
    assert_eq!(status.step, step, "{}", status.headline);
    let failures = status.pause.map(|pause| pause.failures).unwrap_or_default();
    let [failure] = failures.as_slice() else { panic!("{failures:#?}") };
    assert_eq!(failure.class, Class::BinpkgUnusable, "{failure:#?}");
    assert!(failure.message.contains("is whole") && failure.message.contains(words), "{failure:#?}");
    failure.clone()
}

#[track_caller]
fn put_right(builder: &mut Builder, failure: &Failure) {
    for command in &failure.suggestions {
        builder.sh(command);
    }
    builder.resume();
    builder.wait_waiting();
}

#[test]
fn a_key_or_a_program_that_goes_during_a_cycle_damages_nothing() {
    let config = "[sync]\nmin_interval = \"1s\"\ncommand = [\"bash\", \"/root/sync\"]\n[cycle]\ninterval = \"never\"\n";
    let mut builder = Recipe::new(&["test-quick/t4"]).config(config).file("/root/sync", SYNC).start();
    builder.wait_waiting();
    builder.sh(KEYS);
    builder.sh("rm -r /var/lib/gbsup/binpkgs/*; emerge --deselect=n --unmerge test-quick/t4 >/dev/null 2>&1; echo BINPKG_COMPRESS=xz >/etc/portage/make.conf/more");
    builder.gbsup(&["sync"]).ok();
    builder.wait_cycle(2);
    builder.wait_waiting();
    let (compiled, packages) = (builder.compiled(), builder.packages());
    assert_eq!(compiled.len(), 2, "{compiled:?}");

    let away = "emerge --deselect=n --unmerge test-quick/t4\n";
    meanwhile(&mut builder, &format!("{away}rm -r /etc/portage/gnupg"));
    let failure = unusable(&mut builder, "build", "/etc/portage/gnupg has no key");
    put_right(&mut builder, &failure);
    meanwhile(
        &mut builder,
        &format!("{away}mv /usr/bin/xz /usr/bin/xz.away; sed -i d /etc/portage/make.conf/more"),
    );
    let failure = unusable(&mut builder, "build", "xz is not installed (app-arch/xz-utils)");
    assert!(failure.suggestions[0].ends_with("app-arch/xz-utils"), "{failure:#?}");
    builder.sh("mv /usr/bin/xz.away /usr/bin/xz");
    builder.resume();
    builder.wait_waiting();
    let expire = "key=$(gpg --homedir /root/builder --with-colons --list-keys | awk -F: '$1 == \"fpr\" { print $10; exit }'); \
         gpg --homedir /root/builder --batch --quick-set-expire $key seconds=1; \
         gpg --homedir /root/builder --export | gpg --homedir /etc/portage/gnupg --batch --import; \
         until gpg --homedir /etc/portage/gnupg --with-colons --list-keys | grep -q ^pub:e; do sleep 0.1; done; \
         gpgconf --homedir /etc/portage/gnupg --kill all; chmod -R a+rX /etc/portage/gnupg";
    meanwhile(&mut builder, &format!("{away}{expire}"));
    let failure = unusable(&mut builder, "build", "has expired");
    put_right(&mut builder, &failure);
    // There is nothing to build then; the audit is the first that looks.
    meanwhile(&mut builder, expire);
    let failure = unusable(&mut builder, "audit", "has expired");
    put_right(&mut builder, &failure);

    assert_eq!(builder.packages(), packages);
    assert_eq!(builder.compiled(), compiled, "nothing was built again");
    assert!(!builder.on_volume("quarantine").exists());
    builder.assert_tidy();
}

#[test]
fn what_was_packed_without_compression_is_not_called_damaged_and_built_anew() {
    let mut builder = Recipe::new(&["test-quick/t1", "test-quick/t4"]).start();
    builder.wait_waiting();
    // As somebody leaves it who has built by hand, with another setting.
    builder.sh("echo BINPKG_COMPRESS=none >/etc/portage/make.conf/more; rm -r /var/lib/gbsup/binpkgs/test-quick/t4; \
         emerge --oneshot --quiet test-quick/t4 >/dev/null 2>&1; emaint --fix binhost; rm /etc/portage/make.conf/more");
    let found = builder.gbsup(&["verify", "--all", "--json"]).exited(5);
    assert!(found.contains("\"unfit\"") && !found.contains("is damaged"), "{found}");
    builder.gbsup(&["sync"]).ok();
    builder.wait_cycle(2);
    builder.wait_waiting();
    let logs = builder.logs();
    let said = " is whole, but it was packed without compression (BINPKG_COMPRESS=none)";
    assert!(logs.contains(said) && !logs.contains("is damaged"), "{logs}");
    let reasons = builder.sh("cat /var/lib/gbsup/quarantine/*.reason");
    assert!(reasons.starts_with("test-quick/t4/t4-1-") && reasons.contains(" is whole, but "), "{reasons}");
    let members = builder.sh("tar tf /var/lib/gbsup/releases/current/test-quick/t4/*.gpkg.tar");
    assert!(members.contains("image.tar.zst"), "{members}");
    builder.assert_tidy();
}
