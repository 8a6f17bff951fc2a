EAPI=8

inherit test-control

DESCRIPTION="Installs a file that test-quick/t1 owns"
SLOT="0"

RDEPEND="test-quick/t1"

src_install() {
	insinto /usr/share/gbsup-test
	newins - t1 <<<"${PF} was here"
}
