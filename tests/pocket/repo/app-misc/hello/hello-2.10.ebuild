EAPI=8

ORIG="hello_${PV}.orig.tar.gz"
inherit pocket

DESCRIPTION="The program that greets"
HOMEPAGE="https://www.gnu.org/software/hello/"
LICENSE="GPL-3"
SLOT="0"

src_configure() {
	econf --disable-nls
}
