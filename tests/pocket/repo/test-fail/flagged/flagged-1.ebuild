EAPI=8

inherit test-control

DESCRIPTION="Has a flag that is off"
SLOT="0"
IUSE="colour"

src_install() {
	test_file
}
