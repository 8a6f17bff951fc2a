EAPI=8

ORIG="zlib_${PV}.dfsg.orig.tar.bz2"
inherit pocket

DESCRIPTION="Standard (de)compression library"
HOMEPAGE="https://zlib.net/"
LICENSE="ZLIB"
SLOT="0/1"

src_configure() {
	CC=gcc ./configure --shared --prefix=/usr --libdir="/usr/$(get_libdir)" || die "configure failed"
}

src_install() {
	emake DESTDIR="${D}" install
	rm "${ED}/usr/$(get_libdir)/libz.a" || die
}
