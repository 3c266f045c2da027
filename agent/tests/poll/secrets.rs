//! Where a command takes its secrets from, and what others on the machine can get of them.

use crate::{Ends, PATIENCE, configuration, echo, element, lines, marque_agent};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;

/// Who owns nothing.
const NOBODY: u32 = 65_534;

fn is_root() -> bool {
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

/// The program where anybody may start it, as a user for whom /proc tells the difference.
fn program(folder: &Path) -> Command {
    let path = folder.join("marque-agent");
    let built = env!("CARGO_BIN_EXE_marque-agent");
    if std::fs::hard_link(built, &path).is_err() {
        std::fs::copy(built, &path).unwrap();
    }
    let mut command = Command::new(&path);
    if is_root() {
        chown(folder, Some(NOBODY), Some(NOBODY)).unwrap();
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

#[cfg(target_os = "linux")]
#[test]
fn no_command_leaves_a_dump_or_lets_another_process_look() {
    let silent = || {
        let (asked, requests) = mpsc::channel();
        let element = element(move |_| {
            let _ = asked.send(());
            Vec::new()
        });
        (element, requests)
    };
    for command in ["poll", "watch", "discover", "run"] {
        let (element, requests) = silent();
        let port = element.rsplit(':').next().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let config = configuration(folder.path(), &element);
        let args = match command {
            "run" => vec!["run", "--config", &config],
            "discover" => vec!["discover", "127.0.0.1/32", "--port", port],
            other => vec![other, &element],
        };
        let mut started = program(folder.path());
        started.args(args).env("MARQUE_COMMUNITY", "hunter2");
        if command != "run" {
            started.args(["--timeout-ms", "60000"]);
        }
        let child = Ends(
            started
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap(),
        );
        // It holds its secrets by now.
        requests.recv_timeout(PATIENCE).expect("it asks");
        let process = Path::new("/proc").join(child.0.id().to_string());
        let limits = std::fs::read_to_string(process.join("limits")).unwrap();
        let core = limits
            .lines()
            .find_map(|line| line.strip_prefix("Max core file size"))
            .unwrap();
        assert_eq!(
            core.split_whitespace().collect::<Vec<_>>(),
            ["0", "0", "bytes"],
            "{command}"
        );
        let status = std::fs::read_to_string(process.join("status")).unwrap();
        let uid = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap();
        let runs_as: u32 = uid.split_whitespace().next().unwrap().parse().unwrap();
        assert_ne!(runs_as, 0);
        // Files of /proc that show memory belong to root where a process is not dumpable (proc(5)).
        assert_eq!(
            std::fs::metadata(process.join("maps")).unwrap().uid(),
            0,
            "{command}"
        );
    }
}

#[test]
fn the_community_comes_from_the_nearest_place() {
    let element = element(|request| vec![echo(request)]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("community");
    std::fs::write(&file, "hunter2\n").unwrap();
    let poll = |environment: &str, further: &[&str]| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_marque-agent"))
            .args(["poll", &element, "--profile", "inventory"])
            .args(further)
            .env("MARQUE_COMMUNITY", environment)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Who does not read it closes it.
        let _ = child.stdin.take().unwrap().write_all(b"hunter2\r\nhunter3\n");
        child.wait_with_output().unwrap()
    };
    // `echo` knows no other community.
    for environment in ["wrong", ""] {
        for place in [file.to_str().unwrap(), "-"] {
            let output = poll(environment, &["--community-file", place]);
            assert!(output.status.success(), "{output:?}");
            assert_eq!(lines(&output)[0]["completeness"], "partial");
        }
    }
    let output = poll("", &[]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "marque-agent: MARQUE_COMMUNITY is set, but empty\n"
    );
}

#[test]
fn a_community_on_the_command_line_is_refused_and_not_repeated() {
    for command in [
        &["poll", "127.0.0.1:9", "--community", "hunter3"][..],
        &["poll", "127.0.0.1:9", "--community=hunter3"],
        &["watch", "127.0.0.1:9", "--community", "hunter3"],
        &["discover", "127.0.0.1/32", "--community", "hunter3"],
        &["poll", "127.0.0.1:9", "--community", "hunter3", "--user", "a"],
        &["poll", "127.0.0.1:9", "--community", "public"],
    ] {
        let output = marque_agent(command);
        assert_eq!(output.status.code(), Some(1), "{command:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            said.contains("not given on the command line") && said.contains("--community-file -"),
            "{said}"
        );
        assert!(output.stdout.is_empty() && !said.contains("hunter3"), "{said}");
    }
    let help = marque_agent(&["poll", "--help"]);
    let help = String::from_utf8(help.stdout).unwrap();
    assert!(
        !help.contains("--community <") && help.contains("--community-file <FILE>"),
        "{help}"
    );
}
