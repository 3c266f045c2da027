//! Pages over TLS: a certificate that was made, a browser that signs in, the operator's own certificate while it runs.

use super::page::Browser;
use super::programs::{PATIENCE, Running, complaint, run};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

fn config(more: &str) -> String {
    format!(
        "[store]\npath = \"collector.db\"\n[identity]\nfolder = \"identity\"\n[grpc]\nlisten = \"127.0.0.1:0\"\n\
         [http]\nlisten = \"127.0.0.1:0\"\n{more}\n[[site]]\nname = \"berlin\"\njurisdictions = [\"DE\"]\n"
    )
}

fn start(folder: &Path, more: &str) -> (Running, u16) {
    std::fs::write(folder.join("collector.toml"), config(more)).unwrap();
    let mut collector = Running::start(folder, &["collector", "serve", "--config", "collector.toml"]);
    let ready: serde_json::Value = serde_json::from_str(&collector.first_line()).unwrap();
    let (_, port) = ready["http"].as_str().unwrap().rsplit_once(':').unwrap();
    (collector, port.parse().unwrap())
}

/// What curl says, which trusts `certificate` alone.
fn curl(folder: &Path, certificate: &str, more: &[&str], url: &str) -> (i32, String) {
    let output = Command::new("curl")
        .args(["-s", "-m", "10", "--cacert", certificate, "-D", "-"])
        .args(more)
        .arg(url)
        .current_dir(folder)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.code().unwrap(), text)
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_come_over_tls_with_a_certificate_that_was_made() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (_collector, port) = start(folder, "");
    let made = "identity/pages.crt";
    let (code, head) = curl(folder, made, &[], &format!("https://localhost:{port}/healthz"));
    assert_eq!(code, 0, "{head}");
    assert!(head.starts_with("HTTP/2 200"), "{head}");
    let older = curl(
        folder,
        made,
        &["--http1.1"],
        &format!("https://localhost:{port}/healthz"),
    );
    assert!(older.1.starts_with("HTTP/1.1 200"), "{}", older.1);
    assert!(
        !head.to_lowercase().contains("strict-transport"),
        "nobody could go on behind a warning"
    );
    let (code, _) = curl(
        folder,
        "identity/authority.pem",
        &[],
        &format!("https://localhost:{port}/healthz"),
    );
    assert_eq!(code, 60, "it is not of the authority of agents");
    let (code, told) = curl(folder, made, &[], &format!("http://localhost:{port}/"));
    assert_eq!(code, 0, "{told}");
    assert!(
        told.starts_with("HTTP/1.1 400") && told.contains("put https:// before"),
        "{told}"
    );
    let old = ["--tls-max", "1.1"];
    let (code, _) = curl(folder, made, &old, &format!("https://localhost:{port}/healthz"));
    assert_ne!(code, 0, "TLS 1.1 is spoken by nobody");

    // A browser makes the first account, and its cookie is bound to TLS and to this host.
    let words = [
        "collector",
        "account",
        "add",
        "ada",
        "--role",
        "admin",
        "--config",
        "collector.toml",
    ];
    let output = run(folder, &words);
    assert!(output.status.success(), "{}", complaint(&output));
    let link = String::from_utf8(output.stdout).unwrap();
    let (_, path) = link.trim().split_once("/set-up").unwrap();
    assert!(link.starts_with("https://"), "{link}");
    let browser = Browser::open_trusting(1_280, 900).await;
    let client = &browser.client;
    client
        .goto(&format!("https://localhost:{port}/set-up{path}"))
        .await
        .unwrap();
    browser
        .script(
            "document.querySelector('[name=password]').value = 'a+word+nobody+guesses'; \
         document.querySelector('[name=again]').value = 'a+word+nobody+guesses'; \
         document.querySelector('main form').requestSubmit()",
        )
        .await;
    browser
        .until(
            "the first page",
            "return location.pathname === '/' && !!document.querySelector('nav')",
        )
        .await;
    let cookies = client.get_all_cookies().await.unwrap();
    let session = cookies
        .iter()
        .find(|cookie| cookie.name() == "__Host-marque")
        .expect("a session");
    assert_eq!((session.secure(), session.http_only()), (Some(true), Some(true)));

    // A browser holds six connections over HTTP/1.1; over HTTP/2 more windows than that hear the collector.
    browser
        .script(
            "window.heard = new Set(); \
             for (let n = 0; n < 12; n++) \
                 new EventSource('/live').addEventListener('revision', () => window.heard.add(n)); \
             return true",
        )
        .await;
    browser
        .until("twelve streams", "return window.heard.size === 12")
        .await;
    // A form goes out beside them, and its answer comes back: who it came from is told without a Host header.
    browser
        .script("document.querySelector('form[action=\"/sign-out\"]').requestSubmit(); return true")
        .await;
    browser
        .until("the door", "return location.pathname === '/sign-in'")
        .await;
}

#[test]
fn the_operators_own_certificate_is_served_and_taken_up_anew() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let key = rcgen::KeyPair::generate().unwrap();
    std::fs::write(folder.join("own.key"), key.serialize_pem()).unwrap();
    let put = |name: &str, file: &str| {
        let params = rcgen::CertificateParams::new(vec!["localhost".to_owned(), name.to_owned()]).unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        std::fs::write(folder.join(file), &pem).unwrap();
    };
    put("a.example.net", "own.crt");
    let (_collector, port) = start(
        folder,
        "certificate = \"own.crt\"\nkey = \"own.key\"\nnames = [\"localhost\"]\n",
    );
    let url = format!("https://localhost:{port}/healthz");
    let (code, head) = curl(folder, "own.crt", &[], &url);
    assert_eq!(code, 0, "{head}");
    assert!(
        head.to_lowercase()
            .contains("strict-transport-security: max-age=31536000"),
        "{head}"
    );
    put("b.example.net", "next.crt");
    std::fs::rename(folder.join("next.crt"), folder.join("own.crt")).unwrap();
    let end = Instant::now() + PATIENCE;
    let resolve = format!("b.example.net:{port}:127.0.0.1");
    while curl(
        folder,
        "own.crt",
        &["--resolve", &resolve],
        &format!("https://b.example.net:{port}/healthz"),
    )
    .0 != 0
    {
        assert!(Instant::now() < end, "the new certificate is not taken up");
        std::thread::park_timeout(std::time::Duration::from_millis(200));
    }
}
