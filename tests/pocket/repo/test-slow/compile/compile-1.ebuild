EAPI=8

inherit test-control

DESCRIPTION="Compiles until /run/test/go-compile is there"
SLOT="0"

src_compile() {
	test_wait compile
}

src_install() {
	test_file
}
