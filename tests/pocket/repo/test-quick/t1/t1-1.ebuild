EAPI=8

inherit test-control

DESCRIPTION="A trivial package, the first of a chain of three"
SLOT="0/1"

src_install() {
	test_file
}
