EAPI=8

inherit test-control

DESCRIPTION="Its merge stays in pkg_preinst until /run/test/go-preinst is there"
SLOT="0"

src_install() {
	test_file
}

pkg_preinst() {
	test_wait preinst
}
