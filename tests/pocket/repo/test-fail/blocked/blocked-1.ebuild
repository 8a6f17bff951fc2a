EAPI=8

inherit test-control

DESCRIPTION="Is not wanted by test-fail/blocker"
SLOT="0"

src_install() {
	test_file
}
