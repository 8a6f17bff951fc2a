EAPI=8

inherit test-control

DESCRIPTION="Eight processes of about 90 MB each, as many at a time as MAKEOPTS says"
SLOT="0"

src_unpack() {
	cat >"${S}/Makefile" <<-'END' || die
	all: 1 2 3 4 5 6 7 8
	%: ; python3 -c "import time; a = bytearray(b'x') * (90 * 1024 * 1024); time.sleep(1.5)"
	END
}

src_install() {
	test_file
}
