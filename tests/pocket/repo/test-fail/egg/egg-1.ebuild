EAPI=8

inherit test-control

DESCRIPTION="Needs the hen"
SLOT="0"

DEPEND="test-fail/hen"

src_install() {
	test_file
}
