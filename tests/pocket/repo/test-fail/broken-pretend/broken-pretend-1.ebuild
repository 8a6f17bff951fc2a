EAPI=8

inherit test-control

DESCRIPTION="Refuses in pkg_pretend until /etc/gbsup-test/repaired is there"
SLOT="0"

pkg_pretend() {
	[[ -e /etc/gbsup-test/repaired ]] || die "this machine is too small: touch /etc/gbsup-test/repaired"
}

src_install() {
	test_file
}
