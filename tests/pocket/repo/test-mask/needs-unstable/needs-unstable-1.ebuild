EAPI=8

inherit test-control

DESCRIPTION="Depends on a package that is only for ~amd64"
SLOT="0"

RDEPEND="test-mask/unstable"

src_install() {
	test_file
}
