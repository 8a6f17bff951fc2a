EAPI=8

ORIG="popt_${PV}+dfsg.orig.tar.xz"
inherit pocket

DESCRIPTION="Parses command lines"
HOMEPAGE="https://github.com/rpm-software-management/popt"
LICENSE="MIT"
SLOT="0/0"

src_configure() {
	econf --disable-nls
}
