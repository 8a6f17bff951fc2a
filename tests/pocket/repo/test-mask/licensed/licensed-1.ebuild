EAPI=8

inherit test-control

DESCRIPTION="Its licence has to be accepted"
SLOT="0"
LICENSE="pocket-EULA"

src_install() {
	test_file
}
