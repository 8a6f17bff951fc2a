EAPI=8

inherit test-control

DESCRIPTION="The second of three that need each other"
SLOT="0"

DEPEND="test-ring/c"

src_install() {
	test_file
}
