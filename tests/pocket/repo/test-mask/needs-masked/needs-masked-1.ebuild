EAPI=8

inherit test-control

DESCRIPTION="Depends on a package that the profile masks"
SLOT="0"

RDEPEND="test-mask/masked"

src_install() {
	test_file
}
