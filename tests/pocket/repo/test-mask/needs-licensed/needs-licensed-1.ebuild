EAPI=8

inherit test-control

DESCRIPTION="Depends on a package with a licence that is not accepted"
SLOT="0"

RDEPEND="test-mask/licensed"

src_install() {
	test_file
}
