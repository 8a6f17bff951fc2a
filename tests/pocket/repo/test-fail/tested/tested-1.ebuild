EAPI=8

inherit test-control

DESCRIPTION="With FEATURES=test its tests fail until /etc/gbsup-test/repaired is there"
SLOT="0"

src_test() {
	echo "FAIL: the needle is in the red"
	[[ -e /etc/gbsup-test/repaired ]] || die "1 of 7 tests failed: touch /etc/gbsup-test/repaired"
}

src_install() {
	test_file
}
