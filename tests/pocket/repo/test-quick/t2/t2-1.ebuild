EAPI=8

inherit test-control

DESCRIPTION="A trivial package, built against t1"
SLOT="0/1"

DEPEND="test-quick/t1:="
RDEPEND="${DEPEND}"

src_install() {
	test_file
}
