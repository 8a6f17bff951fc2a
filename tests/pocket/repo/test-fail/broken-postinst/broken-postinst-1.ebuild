EAPI=8

inherit test-control

DESCRIPTION="Is merged, and dies in pkg_postinst until /etc/gbsup-test/repaired is there"
SLOT="0"

src_install() {
	test_file
}

pkg_postinst() {
	[[ -e /etc/gbsup-test/repaired ]] || die "the bell does not ring: touch /etc/gbsup-test/repaired"
}
