EAPI=8

inherit test-control

DESCRIPTION="A trivial package that is built for one version of Python or another"
SLOT="0"
IUSE="python_targets_python3_12 python_targets_python3_13"
REQUIRED_USE="|| ( python_targets_python3_12 python_targets_python3_13 )"

src_install() {
	insinto /usr/share/gbsup-test
	newins - "${PN}" <<<"$(usev python_targets_python3_12)$(usev python_targets_python3_13)"
}
