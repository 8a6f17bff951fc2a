EAPI=8

ORIG="popt_${PV}+dfsg.orig.tar.xz"
inherit pocket

DESCRIPTION="Parses command lines"
HOMEPAGE="https://github.com/rpm-software-management/popt"
LICENSE="MIT"
SLOT="0/0"

src_configure() { :; }

src_compile() {
	pocket_library libpopt.so.0 -DHAVE_FNMATCH_H -DHAVE_GLOB_H -DHAVE_SRANDOM -DHAVE_STPCPY -DHAVE_STRERROR -DHAVE_UNISTD_H -DPACKAGE='"popt"' \
		-DPOPT_SYSCONFDIR='"/etc"' src/{lookup3,popt,poptconfig,popthelp,poptint,poptparse}.c
}

src_install() {
	pocket_install_library libpopt.so.0
	doheader src/popt.h
}
