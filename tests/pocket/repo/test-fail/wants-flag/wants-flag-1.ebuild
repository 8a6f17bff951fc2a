EAPI=8

inherit test-control

DESCRIPTION="Wants a flag that is off"
SLOT="0"

RDEPEND="test-fail/flagged[colour]"

src_install() {
	test_file
}
