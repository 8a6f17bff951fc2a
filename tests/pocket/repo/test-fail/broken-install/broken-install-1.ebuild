EAPI=8

inherit test-control

DESCRIPTION="Compiles, and dies in src_install until /etc/gbsup-test/repaired is there"
SLOT="0"

src_install() {
	[[ -e /etc/gbsup-test/repaired ]] || die "there is no shelf to put it on: touch /etc/gbsup-test/repaired"
	test_file
}
