EAPI=8

inherit test-control

DESCRIPTION="One of two that cannot do without each other"
SLOT="0"

DEPEND="test-ring/g"

src_install() {
	test_file
}
