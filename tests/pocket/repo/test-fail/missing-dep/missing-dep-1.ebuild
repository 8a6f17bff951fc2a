EAPI=8

inherit test-control

DESCRIPTION="Depends on a package that does not exist"
SLOT="0"

RDEPEND="test-none/gone"

src_install() {
	test_file
}
