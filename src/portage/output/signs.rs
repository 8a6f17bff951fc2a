//! What the log of a failed phase points to: room, memory, processes, the network, or an error of its own.
//!
//! These are pointers and no judgements. Programs that are built and tested print anything, so a sign counts only
//! in the phase that failed, and what it points to is decided by facts ([`crate::model::machine`], and which phases
//! of an ebuild may use the network).

use std::borrow::Cow;

const MAX_LINE: usize = 300;
/// So much of a line is looked at for why something gave up.
const LONGEST: usize = 4096;

/// What the last lines of a failed phase point to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each of them may be there with any other")]
pub struct Signs {
    /// Some program found no space left.
    pub no_space: bool,
    /// Some program was killed by signal 9: `Killed`, `Error 137`.
    pub killed_program: bool,
    /// Some program could make no process or no thread.
    pub no_process: bool,
    /// A compiler or linker found an error in the sources.
    pub own_error: bool,
    /// The line with which a program gave up to reach the network, when nothing else stands after it.
    pub unreachable: Option<String>,
}

/// How far before the end a program's last words about the network are looked for: npm and cargo explain a lot.
const LAST_WORDS: usize = 25;

/// What Portage prints when a phase begins (`bin/phase-functions.sh`, `bin/phase-helpers.sh`).
const PHASES: &[&[u8]] = &[
    b">>> Unpacking source",
    b">>> Preparing source",
    b">>> Configuring source",
    b">>> Compiling source",
    b">>> Test phase",
    b">>> Install ",
    b">>> Completed installing",
    b">>> Creating binpkg",
];

/// Whether Portage begins another phase with this line.
pub(crate) fn begins_phase(line: &[u8]) -> bool {
    PHASES.iter().any(|phase| line.starts_with(phase))
}

/// The lines of the last phase.
pub(crate) fn last_phase<'a, 'b>(lines: &'a [Cow<'b, [u8]>]) -> &'a [Cow<'b, [u8]>] {
    lines.iter().rposition(|line| begins_phase(line)).map_or(lines, |at| &lines[at + 1..])
}

/// Reads the lines of a phase up to the ebuild's last words.
pub(crate) fn signs(phase: &[Cow<[u8]>]) -> Signs {
    let mut signs = Signs::default();
    for line in phase {
        let text = plain(line);
        let low = text.to_ascii_lowercase();
        let no_space = is_no_space(&low);
        let no_process = any(&low, NO_PROCESS);
        let killed = is_killed(&text);
        signs.no_space |= no_space;
        signs.no_process |= no_process;
        signs.killed_program |= killed;
        signs.own_error |= !(no_space || no_process || killed) && is_error(&text);
    }
    signs.unreachable = unreachable(phase);
    signs
}

/// A line that says that no space was left, in small letters.
pub(crate) fn is_no_space(low: &str) -> bool {
    low.contains("no space left on device") || low.contains("disk quota exceeded")
}

/// Whether somebody says that no process or thread could be made.
pub(crate) fn says_no_process(line: &str) -> bool {
    any(&line.to_ascii_lowercase(), NO_PROCESS)
}

/// What fork(2), clone(2) and pthread_create(3) come to in bash, make, gcc, Python, Go, Rust, Java and zstd.
const NO_PROCESS: &[&str] = &[
    "resource temporarily unavailable",
    "cannot fork",
    "can't fork",
    "fork failed",
    "unable to fork",
    "can't start new thread",
    "failed to create new os thread",
    "failed to spawn thread",
    "failed to create thread",
    "unable to create thread",
    "unable to create native thread",
    "cannot create thread",
    "could not create thread",
    "pthread_create",
    "thread creation failed",
    // zstd -T
    "allocation error : not enough memory",
];

/// `make: *** [Makefile:3: 1] Error 137`, `/bin/sh: line 1: 4711 Killed  cc1plus ...`,
/// `c++: fatal error: Killed signal terminated program cc1plus`, `Killed`, rustc's
/// `process didn't exit successfully: ... (signal: 9, SIGKILL: kill)`, the linker's
/// `collect2: fatal error: ld terminated with signal 9 [Killed]`
fn is_killed(line: &str) -> bool {
    let make = line.ends_with("Error 137") && line.contains("*** ");
    let shell = || {
        let words = line.trim();
        words == "Killed"
            || words.find(" Killed ").is_some_and(|at| {
                let before = words[..at].rsplit(' ').next().unwrap_or_default();
                !before.is_empty() && before.bytes().all(|byte| byte.is_ascii_digit())
            })
    };
    let told =
        ["Killed signal terminated program", "(signal: 9, SIGKILL", "terminated with signal 9 [Killed]"];
    make || told.iter().any(|words| line.contains(words)) || shell()
}

/// `x.c:3:5: error: ...`, `error[E0308]: ...` and what a linker says: nobody but the sources is to blame.
fn is_error(line: &str) -> bool {
    let located = [": error: ", ": fatal error: "]
        .iter()
        .any(|words| line.find(words).is_some_and(|at| line[..at].ends_with(|c: char| c.is_ascii_digit())));
    located
        || ["error[E", "undefined reference to", "No rule to make target"]
            .iter()
            .any(|words| line.contains(words))
}

/// What git, cargo, go, npm, pip, curl, wget, Subversion, Mercurial, Java and their like say of a network that does
/// not answer, in small letters: the words of getaddrinfo(3), of errno(3) and of TLS libraries.
const UNREACHABLE: &[&str] = &[
    "could not resolve host",
    "couldn't resolve host",
    "could not resolve proxy",
    "failed to resolve address",
    "temporary failure in name resolution",
    "name or service not known",
    "nodename nor servname",
    "no such host",
    "server misbehaving",
    "unknownhostexception",
    ": unknown host ",
    "enotfound",
    "eai_again",
    "econnrefused",
    "econnreset",
    "etimedout",
    "enetunreach",
    "ehostunreach",
    "connection refused",
    "connection timed out",
    "connection reset by peer",
    "network is unreachable",
    "no route to host",
    "operation timed out",
    "timeout was reached",
    "i/o timeout",
    "tls handshake timeout",
    "gnutls_handshake",
    "ssl_connect",
    "ssl_error_syscall",
    "couldn't connect to server",
    "could not connect to server",
    "failed to connect to",
    "could not reach host",
    "failed to establish a new connection",
    "unexpected disconnect",
    "the remote end hung up unexpectedly",
    "early eof",
    "returned error: 429",
    "returned error: 500",
    "returned error: 502",
    "returned error: 503",
    "returned error: 504",
    "502 bad gateway",
    "503 service unavailable",
    "504 gateway time",
];

/// What such programs say of something that will not be there another time either, in small letters.
const LASTING: &[&str] = &[
    "not found",
    "does not exist",
    "authentication failed",
    "permission denied",
    "could not read username",
    "remote branch",
    "returned error: 4",
    "checksum mismatch",
    "could not compile",
];

/// How a program that gives up begins its line; in a phase that builds, other lines prove nothing.
const GIVING_UP: &[&str] = &[
    "fatal: ",
    "error: ",
    "error ",
    "caused by:",
    "go: ",
    "npm err!",
    "npm error",
    "curl: (",
    "wget: ",
    "ssh: ",
    "abort: ",
    "svn: ",
    "rsync: ",
    "rsync error: ",
    "warning: retrying ",
    "warning: spurious network error",
    "urllib",
    "<urlopen error ",
    "requests.",
    "socket.gaierror",
    "java.net.",
    "could not reach host",
    "failed to ",
    // CMake's file(DOWNLOAD), Composer, RubyGems, Maven, Gradle
    "status_string: ",
    "curl error ",
    "unable to download data from ",
    "[error] ",
    "> ",
];

/// The line with which a program gave up to reach the network. The first line from the end that says why anything
/// failed decides.
fn unreachable(phase: &[Cow<[u8]>]) -> Option<String> {
    // Maven says at the end of 500 characters why.
    let texts = phase.iter().rev().map(|line| cut(line, LONGEST)).filter(|line| !line.trim().is_empty());
    for text in texts.take(LAST_WORDS) {
        let low = text.trim().to_ascii_lowercase();
        // Of cargo's causes each has a line of its own: `  [6] Could not resolve hostname (...)`
        let cause = text.starts_with("  ") && low.starts_with('[');
        let gives_up = cause || any_start(&low, GIVING_UP) || low.contains("... failed: ");
        if gives_up && any(&low, UNREACHABLE) {
            let text = text.trim();
            let skipped = text.chars().count().saturating_sub(MAX_LINE);
            return Some(match skipped {
                0 => text.to_owned(),
                _ => format!("...{}", text.chars().skip(skipped).collect::<String>()),
            });
        }
        if is_error(&text) || gives_up && any(&low, LASTING) {
            return None;
        }
    }
    None
}

fn any(line: &str, words: &[&str]) -> bool {
    words.iter().any(|word| line.contains(word))
}

fn any_start(line: &str, words: &[&str]) -> bool {
    words.iter().any(|word| line.starts_with(word))
}

/// A line as a person saw it: without what a carriage return overwrote, and cut to a bearable length.
pub(crate) fn plain(line: &[u8]) -> String {
    cut(line, MAX_LINE)
}

fn cut(line: &[u8], longest: usize) -> String {
    let line = line.trim_ascii_end();
    let line = line.rsplit(|&b| b == b'\r').next().unwrap_or(line);
    let text = String::from_utf8_lossy(&line[..line.len().min(longest)]);
    text.chars().map(|c| if c == '\t' { ' ' } else { c }).filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Signs {
        let lines: Vec<Cow<[u8]>> = text.lines().map(|line| Cow::Borrowed(line.as_bytes())).collect();
        signs(last_phase(&lines))
    }

    #[test]
    fn signs_of_the_machine() {
        for (line, killed, no_space, no_process, own) in [
            ("make: *** [Makefile:3: 1] Error 137", true, false, false, false),
            ("/bin/sh: line 1:  4711 Killed                  ./hog", true, false, false, false),
            ("c++: fatal error: Killed signal terminated program cc1plus", true, false, false, false),
            ("Killed", true, false, false, false),
            (
                "error: process didn't exit successfully: `rustc --crate-name x` (signal: 9, SIGKILL: kill)",
                true,
                false,
                false,
                false,
            ),
            ("collect2: fatal error: ld terminated with signal 9 [Killed]", true, false, false, false),
            ("make: *** [Makefile:3: 1] Error 1", false, false, false, false),
            ("checking whether Killed jobs are reported... yes", false, false, false, false),
            ("cp: error writing 'x': No space left on device", false, true, false, false),
            (
                "x.c:1:1: fatal error: error writing to /tmp/x.s: No space left on device",
                false,
                true,
                false,
                false,
            ),
            ("/bin/bash: fork: retry: Resource temporarily unavailable", false, false, true, false),
            ("make: vfork: Resource temporarily unavailable", false, false, true, false),
            (
                "gcc: fatal error: cannot execute 'cc1': vfork: Resource temporarily unavailable",
                false,
                false,
                true,
                false,
            ),
            ("RuntimeError: can't start new thread", false, false, true, false),
            ("runtime: failed to create new OS thread (have 5 already; errno=11)", false, false, true, false),
            ("zstd: error 11 : Allocation error : not enough memory ", false, false, true, false),
            ("x.c:3:5: error: expected ';' before '}' token", false, false, false, true),
            ("error[E0308]: mismatched types", false, false, false, true),
            ("configure: error: C compiler cannot create executables", false, false, false, false),
        ] {
            let signs = read(line);
            let got = (signs.killed_program, signs.no_space, signs.no_process, signs.own_error);
            assert_eq!(got, (killed, no_space, no_process, own), "{line}");
        }
    }

    #[test]
    fn only_the_phase_that_failed_counts() {
        let signs = read("Killed\nNo space left on device\n>>> Compiling source in /w ...\ncc -c x.c\n");
        assert_eq!(signs, Signs::default());
    }

    #[test]
    fn a_program_that_did_not_reach_the_network() {
        for (text, given_up) in [
            (
                "fatal: unable to access 'https://git.example/x.git/': Could not resolve host: git.example",
                true,
            ),
            (
                "fatal: unable to access 'https://git.example/x.git/': The requested URL returned error: 503",
                true,
            ),
            (
                "fatal: unable to access 'https://git.example/x.git/': The requested URL returned error: 403",
                false,
            ),
            ("fatal: repository 'https://git.example/x.git/' not found", false),
            ("fatal: Remote branch v9 not found in upstream origin", false),
            (
                "ssh: connect to host git.example port 22: Connection timed out\nfatal: Could not read from remote repository.\n\nPlease make sure you have the correct access rights\nand the repository exists.",
                true,
            ),
            (
                "error: failed to get `a` as a dependency of package `b v0.1.0`\n\nCaused by:\n  download of config.json failed\n\nCaused by:\n  [6] Could not resolve hostname (Could not resolve host: index.example)",
                true,
            ),
            (
                "go: a.example/b@v1.0.0: Get \"https://proxy.example/a\": dial tcp: lookup proxy.example on 127.0.0.11:53: no such host",
                true,
            ),
            (
                "npm error code EAI_AGAIN\nnpm error syscall getaddrinfo\nnpm error network This is a problem related to network connectivity.\nnpm error A complete log of this run can be found in: /x.log",
                true,
            ),
            (
                "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError('<x>: Failed to establish a new connection: [Errno -3] Temporary failure in name resolution')': /simple/x/\nERROR: Could not find a version that satisfies the requirement x (from versions: none)\nERROR: No matching distribution found for x",
                true,
            ),
            (
                "WARNING: failed to download with error: could not get https://a.example/z.tgz is the internet available?. Trying after a delay...\n\
                 <urlopen error [Errno -3] Temporary failure in name resolution>\n\
                 A fallback URL could be specified using source_fallback_url key in the wrap file\n\n\
                 meson.build:2:0: ERROR: could not get https://a.example/z.tgz is the internet available?\n\nA full log can be found at /w/meson-log.txt",
                true,
            ),
            (
                "    error: downloading 'https://a.example/z.tgz' failed\n          status_code: 6\n\
                 \x20         status_string: \"Couldn't resolve host name\"\n          log:\n          --- LOG END ---\n\
                 make[2]: *** [z.make:102: z-download] Error 1\n",
                true,
            ),
            (
                "[ERROR] Failed to read artifact descriptor for x.y:z:jar:1: Could not transfer artifact x.y:z:pom:1 from/to central \
                 (https://repo.maven.apache.org/maven2): repo.maven.apache.org: Temporary failure in name resolution -> [Help 1]",
                true,
            ),
            (
                "> Could not resolve x.y:z:1.\n   > Could not GET 'https://repo.maven.apache.org/z.pom'.\n\
                 \x20     > repo.maven.apache.org: Name or service not known\n",
                true,
            ),
            (
                "ERROR:  Could not find a valid gem 'x' (>= 0), here is why:\n          Unable to download data from https://rubygems.org/ - \
                 SocketError: Failed to open TCP connection to rubygems.org:443 (getaddrinfo: Temporary failure in name resolution)",
                true,
            ),
            ("make: *** [Makefile:2: vendor] Error 1", false),
            // The output of what is built.
            ("test refused ... Connection refused\nok", false),
            (
                "error: Could not resolve host: a.example\nmain.c:3:5: error: unknown type name 'x'\nmake: *** [all] Error 1",
                false,
            ),
            ("curl: (6) Could not resolve host: a.example\nmake: *** [Makefile:2: vendor] Error 6", true),
        ] {
            assert_eq!(read(text).unreachable.is_some(), given_up, "{text}");
        }
        // What Maven 3.8 said without a network.
        let artifact = "org.apache.maven.plugins:maven-resources-plugin:pom:2.6";
        let long = format!(
            "[ERROR] Plugin {artifact} or one of its dependencies could not be resolved: Failed to read artifact descriptor for {artifact}: \
             Could not transfer artifact {artifact} from/to central (https://repo.maven.apache.org/maven2): transfer failed for \
             https://repo.maven.apache.org/maven2/org/apache/maven/plugins/maven-resources-plugin/2.6/maven-resources-plugin-2.6.pom: \
             Unknown host repo.maven.apache.org: Temporary failure in name resolution -> [Help 1]\n[ERROR] \n[ERROR] Re-run Maven using -X\n"
        );
        let told = read(&long).unreachable.expect("it gave up");
        assert!(
            told.starts_with("...") && told.ends_with("Temporary failure in name resolution -> [Help 1]"),
            "{told}"
        );
    }
}
