EAPI=8

inherit test-control

DESCRIPTION="The server that is asked for its source has no such file"
SLOT="0"
SRC_URI="http://127.0.0.1:8765/notfound-1.tar.gz"

src_install() {
	test_file
}
