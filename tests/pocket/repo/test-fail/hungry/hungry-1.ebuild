EAPI=8

inherit test-control

DESCRIPTION="Needs 64 MB of room to be built"
SLOT="0"

src_compile() {
	head --bytes=64M /dev/zero >"${T}/big" || die "the big table cannot be written"
}

src_install() {
	test_file
}
