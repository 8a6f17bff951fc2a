EAPI=8

inherit test-control

DESCRIPTION="The other of two that cannot do without each other"
SLOT="0"

DEPEND="test-ring/f"

src_install() {
	test_file
}
