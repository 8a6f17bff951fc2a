EAPI=8

inherit test-control

DESCRIPTION="One of two versions, of which only one can be there"
SLOT="0"

src_install() {
	test_file
}
