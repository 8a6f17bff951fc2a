EAPI=8

ORIG="lzo2_${PV}.orig.tar.gz"
inherit pocket

DESCRIPTION="A data compression library for real-time use"
HOMEPAGE="https://www.oberhumer.com/opensource/lzo/"
LICENSE="GPL-2"
SLOT="0/2"

src_configure() {
	econf --enable-shared
}
