//! Receivers of alerts, as far as a test needs them: HTTP, syslog over TCP, SMTP. All on loopback.

use super::programs::PATIENCE;
use hmac::{Hmac, KeyInit as _, Mac as _};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;

/// What a receiver answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It takes what comes.
    Takes,
    /// It is there and takes nothing.
    Refuses,
}

/// What came, in one request, connection or mail.
#[derive(Debug, Clone, Default)]
pub struct Took {
    /// Where to.
    pub path: String,
    /// Head of a request, a line each.
    pub head: Vec<String>,
    /// What was said.
    pub body: String,
}

impl Took {
    /// A field of the head.
    pub fn header(&self, name: &str) -> String {
        let field = self.head.iter().filter_map(|line| line.split_once(": "));
        let mut named = field.filter(|(field, _)| field.eq_ignore_ascii_case(name));
        named
            .next()
            .map(|(_, value)| value.to_owned())
            .unwrap_or_default()
    }

    /// Whether it bears the signature of this key.
    pub fn is_signed(&self, key: &str) -> bool {
        let signature = self.header("marque-signature");
        let (seconds, sum) = signature.split_once(",v1=").unwrap();
        let seconds = seconds.strip_prefix("t=").unwrap();
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(key.as_bytes()).unwrap();
        mac.update(format!("{seconds}.{}", self.body).as_bytes());
        mac.verify_slice(&hex::decode(sum).unwrap()).is_ok()
    }
}

/// Somebody who is told. It ends with the test.
pub struct Receiver {
    address: SocketAddr,
    answer: watch::Sender<Answer>,
    took: watch::Receiver<Vec<Took>>,
}

impl Receiver {
    /// One behind HTTP.
    pub async fn start(answer: Answer) -> Self {
        Self::of(answer, http).await
    }

    async fn of<F: Future<Output = Option<Took>> + Send>(
        answer: Answer,
        talk: impl Fn(BufReader<TcpStream>, Answer) -> F + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (answer, says) = watch::channel(answer);
        let (into, took) = watch::channel(Vec::new());
        let talk = Arc::new(talk);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let now = *says.borrow();
                if let Some(came) = talk(BufReader::new(stream), now).await {
                    into.send_modify(|took| took.push(came));
                }
            }
        });
        Self {
            address,
            answer,
            took,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on it answers so.
    pub fn now(&self, answer: Answer) {
        self.answer.send_replace(answer);
    }

    /// Waits for what came while it took it to be so, and tells it; while it refuses, what was tried.
    pub async fn until(&self, what: &str, holds: impl Fn(&[Took]) -> bool) -> Vec<Took> {
        let mut took = self.took.clone();
        let taken = |all: &[Took]| {
            let refused = *self.answer.borrow() == Answer::Refuses;
            all.iter()
                .filter(|took| refused || !took.head.iter().any(|line| line == REFUSED))
                .cloned()
                .collect::<Vec<_>>()
        };
        let waited = timeout(PATIENCE, took.wait_for(|all| holds(&taken(all)))).await;
        match waited {
            Ok(all) => taken(&all.unwrap()),
            Err(_) => panic!("{what} did not come: {:#?}", self.took.borrow()),
        }
    }
}

/// Marks what was refused.
const REFUSED: &str = "refused here";

async fn http(mut stream: BufReader<TcpStream>, answer: Answer) -> Option<Took> {
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        if line.trim().is_empty() {
            break;
        }
        head.push(line.trim().to_owned());
    }
    let mut took = Took {
        path: head.first()?.split(' ').nth(1)?.to_owned(),
        head,
        body: String::new(),
    };
    let mut body = vec![0; took.header("content-length").parse().unwrap()];
    stream.read_exact(&mut body).await.ok()?;
    took.body = String::from_utf8(body).unwrap();
    let status = match answer {
        Answer::Takes => "202 Accepted",
        Answer::Refuses => "503 Service Unavailable",
    };
    // As many do, it repeats where it was asked, and what with.
    let mut echo = String::new();
    if answer == Answer::Refuses {
        took.head.push(REFUSED.to_owned());
        let signed = took.header("marque-signature");
        echo = format!(
            "cannot POST {}: {} {signed} {}",
            took.path,
            took.header("authorization"),
            took.body
        );
    }
    let length = echo.len();
    let said = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{echo}");
    stream.write_all(said.as_bytes()).await.ok()?;
    Some(took)
}

/// A syslog server over TCP.
pub async fn syslog() -> Receiver {
    Receiver::of(Answer::Takes, |mut stream, _| async move {
        let mut took = Took::default();
        stream.read_to_string(&mut took.body).await.ok()?;
        Some(took)
    })
    .await
}

/// A mail server that takes everything.
pub async fn smtp() -> Receiver {
    Receiver::of(Answer::Takes, |mut stream, _| async move {
        let mut took = Took::default();
        stream.write_all(b"220 sink\r\n").await.ok()?;
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.ok()? == 0 {
                return None;
            }
            let answer = match line.trim() {
                "DATA" => {
                    stream.write_all(b"354 go on\r\n").await.ok()?;
                    loop {
                        let mut line = String::new();
                        stream.read_line(&mut line).await.ok()?;
                        if line == ".\r\n" {
                            break;
                        }
                        took.body.push_str(&line);
                    }
                    "250 taken\r\n"
                }
                "QUIT" => {
                    stream.write_all(b"221 bye\r\n").await.ok()?;
                    return Some(took);
                }
                _ => "250 ok\r\n",
            };
            stream.write_all(answer.as_bytes()).await.ok()?;
            if !took.body.is_empty() {
                return Some(took);
            }
        }
    })
    .await
}
