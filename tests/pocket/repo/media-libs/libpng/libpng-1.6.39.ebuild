EAPI=8

ORIG="libpng1.6_${PV}.orig.tar.gz"
inherit pocket

DESCRIPTION="Portable Network Graphics library"
HOMEPAGE="http://www.libpng.org/"
LICENSE="libpng2"
SLOT="0/16"

DEPEND="sys-libs/zlib:="
RDEPEND="${DEPEND}"

src_configure() { :; }

src_compile() {
	cp scripts/pnglibconf.h.prebuilt pnglibconf.h || die
	pocket_library libpng16.so.16 png{,error,get,mem,pread,read,rio,rtran,rutil,set,trans,wio,write,wtran,wutil}.c -lz -lm
}

src_install() {
	pocket_install_library libpng16.so.16
	dosym libpng16.so "/usr/$(get_libdir)/libpng.so"
	doheader png.h pngconf.h pnglibconf.h
}
