EAPI=8

inherit test-control

DESCRIPTION="One of two that need each other, unless it does without the other"
SLOT="0"
IUSE="+loop"

DEPEND="loop? ( test-ring/e )"

src_install() {
	test_file
}
