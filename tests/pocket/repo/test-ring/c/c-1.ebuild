EAPI=8

inherit test-control

DESCRIPTION="The third of three that need each other"
SLOT="0"

DEPEND="test-ring/a"

src_install() {
	test_file
}
