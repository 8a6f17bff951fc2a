EAPI=8

inherit test-control

DESCRIPTION="Cannot do with the old test-fail/slotlib"
SLOT="0"

RDEPEND="=test-fail/slotlib-2"

src_install() {
	test_file
}
