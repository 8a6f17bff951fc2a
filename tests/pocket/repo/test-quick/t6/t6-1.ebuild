EAPI=8

inherit test-control

DESCRIPTION="A trivial package"
SLOT="0"

src_install() {
	test_file
}
