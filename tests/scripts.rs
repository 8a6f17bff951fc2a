//! What is written for a shell: how the scripts find a Docker client that an engine answers, what they tell to type, and what
//! TAB completes in the image. No Docker is needed: the
//! clients are stand-ins, and the engine is a socket that nobody listens at.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

/// A machine of which only the clients and the engine matter.
struct Machine {
    place: TempDir,
    path: Vec<String>,
    _engine: UnixListener,
}

impl Machine {
    fn new() -> Self {
        let place = TempDir::new().unwrap();
        let engine = UnixListener::bind(place.path().join("docker.sock")).unwrap();
        Self { place, path: Vec::new(), _engine: engine }
    }

    fn socket(&self) -> String {
        format!("unix://{}", self.place.path().join("docker.sock").display())
    }

    /// A client, after those that are there in the PATH, to which an engine answers when this shell condition holds.
    fn client(&mut self, name: &str, answered: &str) -> PathBuf {
        let directory = self.place.path().join(name);
        fs::create_dir(&directory).unwrap();
        let file = directory.join("docker");
        fs::write(&file, format!("#!/bin/bash\necho {name}\n{answered}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        self.path.push(directory.display().to_string());
        file
    }

    /// What `docker` is after the scripts have looked for one, and what they say.
    fn find(&self, env: &[(&str, &str)]) -> (String, String) {
        let script = ". scripts/lib.sh; find_docker || echo none; docker info; echo ${DOCKER_HOST:-unset}; echo $DOCKER_TYPED";
        let output = Command::new("bash")
            .args(["-c", script])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env_remove("DOCKER_HOST")
            .env_remove("DOCKER_TYPED")
            .env("GBSUP_TEST_ENGINE", self.socket())
            .env("GBSUP_TEST_LINKS", self.place.path())
            .env("PATH", format!("{}:/usr/bin:/bin", self.path.join(":")))
            .envs(env.iter().copied())
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
        (text(&output.stdout), text(&output.stderr))
    }
}

#[test]
fn a_client_that_is_answered_is_used_as_it_is() {
    let mut machine = Machine::new();
    machine.client("first", "exit 0");
    let remote = ("DOCKER_HOST", "tcp://builder.example:2376");
    let (found, said) = machine.find(&[remote]);
    assert_eq!(found, format!("first\n{}\ndocker", remote.1));
    assert_eq!(said, "");
}

#[test]
fn a_host_or_context_without_an_engine_gives_way_to_the_engine_of_the_machine() {
    let mut machine = Machine::new();
    let socket = machine.socket();
    machine.client("first", &format!("[[ ${{DOCKER_HOST-}} = {socket} && -z ${{DOCKER_CONTEXT-}} ]]"));
    let (found, said) = machine.find(&[("DOCKER_HOST", "tcp://203.0.113.1:2375"), ("DOCKER_CONTEXT", "old")]);
    let typed = format!("DOCKER_CONTEXT= DOCKER_HOST={socket} docker");
    assert_eq!(found, format!("first\n{socket}\n{typed}"));
    assert!(said.ends_with(&format!("to be typed by hand: {typed}")) && said.lines().count() == 1, "{said}");
}

#[test]
fn a_client_that_does_not_fit_the_engine_gives_way_to_one_that_does() {
    let mut machine = Machine::new();
    machine.client("first", "exit 1");
    let second = machine.client("second", "exit 0");
    let (found, said) = machine.find(&[]);
    assert_eq!(found, format!("second\nunset\n{}", second.display()));
    assert!(said.ends_with(&format!("to be typed by hand: {}", second.display())), "{said}");
}

#[test]
fn the_verbs_that_are_printed_name_this_builder() {
    let say = |env: &[(&str, &str)]| {
        let script = ". scripts/lib.sh; to_type bootstrap; echo; to_type status";
        let mut command = Command::new("bash");
        command.args(["-c", script]).current_dir(env!("CARGO_MANIFEST_DIR"));
        for name in ["BASE", "NAME", "VOLUME", "IMAGE", "CONFIG"] {
            command.env_remove(name);
        }
        let output = command.envs(env.iter().copied()).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(say(&[]), "make bootstrap\nmake status");
    let laptop =
        [("NAME", "laptop"), ("VOLUME", "laptop"), ("IMAGE", "gbsup/laptop"), ("CONFIG", "/srv/my laptop")];
    let words = "NAME=laptop VOLUME=laptop IMAGE=gbsup/laptop";
    assert_eq!(say(&laptop), format!("make bootstrap {words} CONFIG=/srv/my\\ laptop\nmake status {words}"));
    assert_eq!(
        say(&[("BASE", "pocket"), ("NAME", "gbsup-try")]),
        "make bootstrap BASE=pocket\nmake status BASE=pocket"
    );
}

/// What TAB offers at the end of these words, with a builder whose answers are these files.
fn completed(words: &[&str]) -> Vec<String> {
    let place = TempDir::new().unwrap();
    let stand_in = format!(
        "#!/bin/bash\ncase $1 in completions) exec {} \"$@\" ;;\n\
         plan) printf 'update\\tsys-libs/zlib-1.3.1\\t1.2\\n' ;;\n\
         skip) printf 'dev-lang/rust\\t2026-11-22\\n' ;;\n\
         releases) printf '2026-11-22.2\\tx\\n2026-11-22.1\\tx\\n' ;;\n\
         history) printf '12\\tx\\n13\\tx\\n' ;;\nesac\n",
        env!("CARGO_BIN_EXE_gbsup")
    );
    let file = place.path().join("gbsup");
    fs::write(&file, stand_in).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir_all(place.path().join("vdb/app-misc/hello-2.10")).unwrap();
    let script = ". <(gbsup completions bash); . image/completion.bash; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); \
                  $(complete -p gbsup | sed 's/.*-F \\([^ ]*\\).*/\\1/') gbsup; printf '%s\\n' \"${COMPREPLY[@]}\"";
    let output = Command::new("bash")
        .args(["-c", script, "-"])
        .args(words)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("PATH", format!("{}:/usr/bin:/bin", place.path().display()))
        .env("GBSUP_VDB", place.path().join("vdb"))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    String::from_utf8(output.stdout).unwrap().split_whitespace().map(str::to_owned).collect()
}

#[test]
fn tab_completes_packages_releases_and_cycles() {
    assert_eq!(completed(&["gbsup", "logs", ""]), ["app-misc/hello", "sys-libs/zlib"]);
    assert_eq!(completed(&["gbsup", "why", "zl"]), ["sys-libs/zlib"]);
    assert_eq!(completed(&["gbsup", "resume", "--skip", "app-"]), ["app-misc/hello"]);
    assert_eq!(completed(&["gbsup", "unskip", ""]), ["dev-lang/rust"]);
    assert_eq!(completed(&["gbsup", "rollback", "2026-11-22."]), ["2026-11-22.1", "2026-11-22.2"]);
    assert_eq!(completed(&["gbsup", "logs", "--cycle", ""]), ["12", "13"]);
    assert_eq!(completed(&["gbsup", "roll"]), ["rollback"]);
    assert!(completed(&["gbsup", "logs", "--fai"]).contains(&"--failed".to_owned()));
}

/// Whatever is given to a builder in the files that start one is a setting that there is.
#[test]
fn the_files_that_start_builders_name_settings_that_there_are() {
    let top = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut names = 0;
    for file in [
        "image/compose.yaml",
        "deploy/helpers.yaml",
        "deploy/swarm.yaml",
        "deploy/kubernetes.yaml",
        "deploy/quadlet/gbsup-desktop.container",
    ] {
        let text = fs::read_to_string(top.join(file)).unwrap();
        let words = text.split(|c: char| !(c.is_ascii_uppercase() || c == '_'));
        let given: Vec<_> = words.filter(|word| word.starts_with("GBSUP_")).collect();
        names += given.len();
        for name in given {
            // Each of them is wrong as a value, so that a name nobody knows is told as something else.
            let problems = gbsup::config::check(None, [(name.to_owned(), "\u{1}".to_owned())].into_iter());
            let told = format!("{problems:?}");
            assert!(!told.contains("unknown") && !told.contains("no such"), "{file}: {name}: {told}");
        }
    }
    assert!(names > 4, "{names}");
}

/// An orchestrator that finds a builder unhealthy while that waits for a person would replace what is to be repaired, and one that
/// waits no longer than gbsup itself would kill a merge.
#[test]
fn the_files_for_orchestrators_leave_a_pause_and_a_merge_alone() {
    let top = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    for (file, waits) in [
        ("deploy/helpers.yaml", "stop_grace_period: 2m"),
        ("deploy/swarm.yaml", "stop_grace_period: 2m"),
        ("deploy/kubernetes.yaml", "terminationGracePeriodSeconds: 120"),
        ("deploy/quadlet/gbsup-desktop.container", "--stop-timeout=120"),
    ] {
        let text = fs::read_to_string(top.join(file)).unwrap();
        let separates = |c: char| !(c.is_ascii_alphanumeric() || "_/-".contains(c));
        let words: Vec<_> = text.split(separates).filter(|word| !word.is_empty()).collect();
        let has = |wanted: &[&str]| words.windows(wanted.len()).any(|some| some == wanted);
        assert!(has(&["/usr/bin/gbsup", "health", "--live"]), "{file}");
        assert!(has(&["GBSUP_STOP_GRACE", "110s"]) || has(&["GBSUP_STOP_GRACE", "value", "110s"]), "{file}");
        assert!(text.contains(waits), "{file}: {waits}");
    }
}
