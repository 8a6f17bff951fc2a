EAPI=8

ORIG="bzip2_${PV}.orig.tar.gz"
inherit pocket

DESCRIPTION="A high-quality data compressor"
HOMEPAGE="https://sourceware.org/bzip2/"
LICENSE="BZIP2"
SLOT="0/1"

src_compile() {
	emake -f Makefile-libbz2_so CC=gcc CFLAGS="${CFLAGS} -fPIC -D_FILE_OFFSET_BITS=64"
}

src_install() {
	newbin bzip2-shared bzip2
	dosym bzip2 /usr/bin/bunzip2
	dosym bzip2 /usr/bin/bzcat
	doheader bzlib.h
	dolib.so libbz2.so.1.0.8
	dosym libbz2.so.1.0.8 "/usr/$(get_libdir)/libbz2.so.1.0"
	dosym libbz2.so.1.0.8 "/usr/$(get_libdir)/libbz2.so"
	doman bzip2.1
}
