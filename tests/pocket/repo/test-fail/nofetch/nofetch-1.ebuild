EAPI=8

inherit test-control

DESCRIPTION="Its source is nowhere until it is copied from /opt/test to /srv/distfiles"
SLOT="0"
SRC_URI="http://127.0.0.1:9/nofetch-1.tar.gz"

src_install() {
	test_file
}
