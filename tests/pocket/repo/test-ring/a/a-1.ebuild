EAPI=8

inherit test-control

DESCRIPTION="One of three that need each other, unless it does without the next"
SLOT="0"
IUSE="+loop"

DEPEND="loop? ( test-ring/b )"

src_install() {
	test_file
}
