EAPI=8

inherit test-control

DESCRIPTION="The other of two that need each other"
SLOT="0"

DEPEND="test-ring/d"

src_install() {
	test_file
}
