EAPI=8

ORIG="lzo2_${PV}.orig.tar.gz"
inherit pocket

DESCRIPTION="A data compression library for real-time use"
HOMEPAGE="https://www.oberhumer.com/opensource/lzo/"
LICENSE="GPL-2"
SLOT="0/2"

src_configure() { :; }

src_compile() {
	pocket_library liblzo2.so.2 -Iinclude -Iinclude/lzo -Isrc src/*.c
}

src_install() {
	pocket_install_library liblzo2.so.2
	insinto /usr/include/lzo
	doins include/lzo/*.h
}
