EAPI=8

inherit test-control

DESCRIPTION="Its merge stays in pkg_postinst until /run/test/go-postinst is there"
SLOT="0"

src_install() {
	test_file
}

pkg_postinst() {
	test_wait postinst
}
