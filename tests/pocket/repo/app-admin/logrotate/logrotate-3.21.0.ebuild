EAPI=8

ORIG="logrotate_${PV}.orig.tar.gz"
inherit pocket

DESCRIPTION="Rotates and compresses logs"
HOMEPAGE="https://github.com/logrotate/logrotate"
LICENSE="GPL-2"
SLOT="0"

DEPEND="dev-libs/popt:="
RDEPEND="${DEPEND}"

src_configure() {
	econf --with-acl=no --with-selinux=no
}
