//! Who may, through real processes: the link of the first start, accounts by command, and no secret in any log.

use super::path::get;
use super::programs::{LAB, complaint, run};
use lab::element::Behaviour;
use lab::house::{House, HouseSpec};
use lab::network::Plan;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

/// A password of the tests.
pub const PASSWORD: &str = "a+word+nobody+guesses";
/// A collector on loopback, in the clear, with one site.
pub const CONFIG: &str = "[store]\npath = \"collector.db\"\n[identity]\nfolder = \"identity\"\n[grpc]\n\
    listen = \"127.0.0.1:0\"\n[http]\nlisten = \"127.0.0.1:0\"\nplain = true\n[[site]]\nname = \"berlin\"\njurisdictions = [\"DE\"]\n";

/// A collector whose every word is kept.
pub struct Collector {
    process: Child,
    /// Where its pages are.
    pub http: String,
    /// What it said so far.
    pub said: Arc<Mutex<String>>,
}

impl Collector {
    /// By `collector.toml` of this folder.
    pub fn start(folder: &Path) -> Self {
        let mut process = Command::new(LAB)
            .args(["collector", "serve", "--config", "collector.toml"])
            .current_dir(folder)
            .env(lab::house::LEAVE_WITH_PARENT, "1")
            .env("MARQUE_LOG", "trace")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let (into, from) = (said.clone(), process.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in BufReader::new(from).lines().map_while(Result::ok) {
                into.lock().unwrap().push_str(&(line + "\n"));
            }
        });
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
        let http = ready["http"].as_str().unwrap().to_owned();
        Self { process, http, said }
    }

    /// The secret of the link that it printed, and nothing else told.
    pub fn link(&self) -> Option<String> {
        let said = self.said.lock().unwrap();
        let (_, rest) = said.split_once("/set-up?token=")?;
        Some(rest.split_whitespace().next()?.to_owned())
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What an answer sets as a cookie, with its status before it.
pub fn posted(http: &str, path: &str, form: &str) -> (String, String) {
    let head = get(http, path, &["-o", "/dev/null", "-D", "-", "-d", form]);
    let status = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let cookie = head
        .lines()
        .find(|line| line.to_lowercase().starts_with("set-cookie: "));
    let cookie = cookie
        .and_then(|line| line[12..].split(';').next())
        .unwrap_or_default();
    (status, cookie.to_owned())
}

#[test]
fn the_first_start_prints_a_link_and_no_secret_is_in_any_log() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("collector.toml"), CONFIG).unwrap();
    let says = |words: &str| {
        let output = run(folder, &words.split(' ').collect::<Vec<_>>());
        assert!(output.status.success(), "{words}: {}", complaint(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    let collector = Collector::start(folder);
    let http = collector.http.as_str();
    let page = |path: &str, cookie: &str| {
        get(
            http,
            path,
            &["-o", "/dev/null", "-w", "%{http_code}", "-b", cookie],
        )
    };
    assert_eq!(
        (page("/healthz", ""), page("/", ""), page("/metrics", "")),
        ("200".into(), "303".into(), "401".into())
    );
    let link = collector.link().expect("the first start prints a link");
    let form = format!("token={link}&name=Ada&password={PASSWORD}&again={PASSWORD}");
    let (status, ada) = posted(http, "/set-up", &form);
    assert_eq!((status.as_str(), page("/admin", &ada)), ("303", "200".to_owned()));
    assert_eq!(posted(http, "/set-up", &form).0, "410", "once");

    // By command, beside the running collector; a password is never among the words.
    let first = says("collector account add bo --role viewer --site berlin --config collector.toml");
    let token = first.trim().split_once("/set-up?token=").unwrap().1.to_owned();
    let (status, bo) = posted(
        http,
        "/set-up",
        &format!("token={token}&password={PASSWORD}&again={PASSWORD}"),
    );
    assert_eq!(
        (status.as_str(), page("/", &bo), page("/admin", &bo)),
        ("303", "200".to_owned(), "403".to_owned())
    );
    says("collector account role bo --role admin --config collector.toml");
    assert_eq!(page("/admin", &bo), "200", "at once");
    says("collector account disable bo --config collector.toml");
    assert_eq!(page("/", &bo), "303", "at once");
    says("collector account disable bo --undo --config collector.toml");
    let enter = says("collector account link bo --sign-in --config collector.toml");
    let enter = enter.trim().split_once("/enter").unwrap().1.to_owned();
    let entered = get(http, &format!("/enter{enter}"), &["-o", "/dev/null", "-D", "-"]);
    assert!(
        entered.contains("303") && entered.contains("marque="),
        "{entered}"
    );
    let again = get(
        http,
        &format!("/enter{enter}"),
        &["-o", "/dev/null", "-w", "%{http_code}"],
    );
    assert_eq!(again, "410", "once");
    let list = says("collector account list --config collector.toml");
    assert!(
        list.contains("Ada\tadmin\tall sites\tenabled") && list.contains("bo\tadmin"),
        "{list}"
    );
    let api = says("collector account token prom --scope metrics --config collector.toml");
    let bearer = format!("Authorization: Bearer {}", api.trim());
    assert!(get(http, "/metrics", &["-H", &bearer]).contains("marque_collector"));
    let stray = run(
        folder,
        &[
            "collector",
            "account",
            "add",
            "cy",
            "--role",
            "viewer",
            "--site",
            "x",
            "--config",
            "collector.toml",
        ],
    );
    assert!(complaint(&stray).contains("no [[site]] is named x"));
    let last = run(
        folder,
        &[
            "collector",
            "account",
            "disable",
            "bo",
            "--config",
            "collector.toml",
        ],
    );
    assert!(last.status.success());
    let last = run(
        folder,
        &[
            "collector",
            "account",
            "disable",
            "ada",
            "--config",
            "collector.toml",
        ],
    );
    assert!(complaint(&last).contains("nobody would be left"));
    assert_eq!(
        posted(http, "/sign-in", "name=Ada&password=typed+wrongly").0,
        "422"
    );

    // A restart has nothing to print, and its log and the first one's hold no secret but the link.
    let said = collector.said.lock().unwrap().clone();
    drop(collector);
    let collector = Collector::start(folder);
    assert_eq!(collector.link(), None, "there are accounts");
    assert_eq!(
        said.matches(&link).count(),
        1,
        "the link is printed once and not logged"
    );
    let cookies = [ada.as_str(), bo.as_str()].map(|cookie| cookie.split_once('=').unwrap().1);
    for secret in [
        PASSWORD,
        "a word nobody guesses",
        "typed",
        &token,
        api.trim(),
        cookies[0],
        cookies[1],
    ] {
        assert!(!said.contains(secret), "a log holds {secret}");
    }
    let mut store = std::fs::read(folder.join("collector.db")).unwrap();
    store.extend(std::fs::read(folder.join("collector.db-wal")).unwrap_or_default());
    for secret in [link.as_str(), &token, api.trim(), cookies[0], "nobody guesses"] {
        let held = store
            .windows(secret.len())
            .any(|octets| octets == secret.as_bytes());
        assert!(!held, "the store holds {secret}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_link_of_the_lab_leads_to_its_collector() {
    let plan = Plan::small().with("axis-p3265", "one", "video", Behaviour::Normal);
    let house = House::start(HouseSpec::new(LAB, plan)).await.unwrap();
    let words = "collector account link lab --sign-in --config collector.toml";
    let output = run(house.data(), &words.split(' ').collect::<Vec<_>>());
    assert!(output.status.success(), "{}", complaint(&output));
    let link = String::from_utf8(output.stdout).unwrap();
    let path = link.trim().strip_prefix(&house.http_url());
    let path = path.unwrap_or_else(|| panic!("{link} does not lead to {}", house.http_url()));
    let entered = get(
        house.http_url().trim_start_matches("http://"),
        path,
        &["-o", "/dev/null", "-w", "%{http_code}"],
    );
    assert_eq!(entered, "303");
    house.stop().await.unwrap();
}
