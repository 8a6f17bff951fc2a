EAPI=8

inherit test-control

DESCRIPTION="Masked by the profile"
SLOT="0"

src_install() {
	test_file
}
