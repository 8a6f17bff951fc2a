EAPI=8

ORIG="lua5.4_${PV}.orig.tar.gz"
inherit pocket

DESCRIPTION="A powerful, light-weight programming language"
HOMEPAGE="https://www.lua.org/"
LICENSE="MIT"
SLOT="0/5.4"

src_compile() {
	emake linux CC=gcc MYCFLAGS="${CFLAGS} -fPIC"
}

src_install() {
	emake INSTALL_TOP="${ED}/usr" INSTALL_MAN="${ED}/usr/share/man/man1" install
}
