EAPI=8

inherit test-control

DESCRIPTION="A trivial package, built against t2"
SLOT="0"

DEPEND="test-quick/t2:="
RDEPEND="${DEPEND}"

src_install() {
	test_file
}
