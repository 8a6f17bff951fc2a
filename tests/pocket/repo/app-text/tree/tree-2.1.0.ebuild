EAPI=8

ORIG="tree_${PV}.orig.tar.gz"
inherit pocket

DESCRIPTION="Lists directories as a tree"
HOMEPAGE="http://mama.indstate.edu/users/ice/tree/"
LICENSE="GPL-2"
SLOT="0"

src_compile() {
	emake CC=gcc CFLAGS="${CFLAGS} -D_FILE_OFFSET_BITS=64 -D_GNU_SOURCE"
}

src_install() {
	dobin tree
	doman doc/tree.1
}
