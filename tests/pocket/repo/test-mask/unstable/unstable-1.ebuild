EAPI=8

inherit test-control

DESCRIPTION="Only for ~amd64"
SLOT="0"
KEYWORDS="~amd64"

src_install() {
	test_file
}
