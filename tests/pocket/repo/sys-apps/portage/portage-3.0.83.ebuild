EAPI=8

# Portage itself is in the image, not in this package: it is here so that a test can make an update of Portage due.
DESCRIPTION="The package manager: a marker"
HOMEPAGE="https://wiki.gentoo.org/wiki/Project:Portage"
LICENSE="GPL-2"
SLOT="0"
KEYWORDS="amd64"
S=${WORKDIR}

src_install() {
	newdoc - marker <<<"${PF}"
}
