EAPI=8

inherit test-control

DESCRIPTION="Can only be built when test-fail/broken is there"
SLOT="0"

DEPEND="test-fail/broken"
RDEPEND="${DEPEND}"

src_install() {
	test_file
}
