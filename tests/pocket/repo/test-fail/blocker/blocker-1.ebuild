EAPI=8

inherit test-control

DESCRIPTION="Does not want to be installed beside test-fail/blocked"
SLOT="0"

RDEPEND="!!test-fail/blocked"

src_install() {
	test_file
}
