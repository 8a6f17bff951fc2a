EAPI=8

inherit test-control

DESCRIPTION="The mirror has another file than the one its Manifest describes"
SLOT="0"
SRC_URI="baddigest-1.tar.gz"

src_install() {
	test_file
}
