EAPI=8

ORIG="lz4_${PV}.orig.tar.gz"
inherit pocket

DESCRIPTION="Extremely fast compression"
HOMEPAGE="https://lz4.github.io/lz4/"
LICENSE="BSD GPL-2"
SLOT="0/1"

src_compile() {
	emake CC=gcc CFLAGS="${CFLAGS}" lib lz4
}

src_install() {
	emake DESTDIR="${D}" PREFIX=/usr LIBDIR="/usr/$(get_libdir)" BUILD_STATIC=no install
}
