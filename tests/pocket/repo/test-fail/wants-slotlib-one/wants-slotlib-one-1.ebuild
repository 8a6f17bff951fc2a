EAPI=8

inherit test-control

DESCRIPTION="Cannot do with the new test-fail/slotlib"
SLOT="0"

RDEPEND="=test-fail/slotlib-1"

src_install() {
	test_file
}
