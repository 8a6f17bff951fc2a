EAPI=8

inherit test-control

DESCRIPTION="As many small files as /run/test/files says (5000): its merge takes a while"
SLOT="0"

src_install() {
	local dir="${ED}/usr/share/gbsup-test/files" count
	count=$(test_number files 5000)
	mkdir -p "${dir}" || die
	seq "${count}" | split --lines=1 --suffix-length=6 --numeric-suffixes - "${dir}/f" || die
}
