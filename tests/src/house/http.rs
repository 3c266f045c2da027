//! Asking the collector over HTTP.

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::header::{ACCEPT_ENCODING, AUTHORIZATION, HOST};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

/// An answer must come within this.
const PATIENCE: Duration = Duration::from_secs(10);
/// No page is larger.
const LARGEST: usize = 16 << 20;

/// The body of an answer, which must be 200, to whoever shows this token.
pub(crate) async fn get(address: SocketAddr, path: &str, token: Option<&str>) -> Result<String, String> {
    let answer = tokio::time::timeout(PATIENCE, exchange(address, path, token)).await;
    let answer = answer.map_err(|_| format!("no answer within {} s", PATIENCE.as_secs()))?;
    match answer.map_err(|error| error.to_string())? {
        (StatusCode::OK, body) => Ok(body),
        (status, body) => Err(format!("{status}: {body:.200}")),
    }
}

async fn exchange(
    address: SocketAddr,
    path: &str,
    token: Option<&str>,
) -> Result<(StatusCode, String), Box<dyn Error + Send + Sync>> {
    let stream = tokio::net::TcpStream::connect(address).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // Ends with the exchange; its error is also the sender's.
    tokio::spawn(connection);
    let mut request = Request::get(path).header(HOST, address.to_string());
    if let Some(token) = token {
        request = request.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    let request = request.body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body = Limited::new(response.into_body(), LARGEST)
        .collect()
        .await?
        .to_bytes();
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}

/// A connection that is kept, for whoever asks again and again.
pub(crate) struct Asker {
    address: SocketAddr,
    token: String,
    sender: hyper::client::conn::http1::SendRequest<Empty<Bytes>>,
}

impl Asker {
    /// Connects, to show this token.
    pub(crate) async fn connect(address: SocketAddr, token: String) -> Result<Self, String> {
        let connect = async {
            let stream = tokio::net::TcpStream::connect(address).await?;
            let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
            tokio::spawn(connection);
            Ok::<_, Box<dyn Error + Send + Sync>>(sender)
        };
        let sender = connect.await.map_err(|error| error.to_string())?;
        Ok(Self {
            address,
            token,
            sender,
        })
    }

    /// Octets of an answer as sent, compressed if the collector can; it must be 200.
    pub(crate) async fn get(&mut self, path: &str) -> Result<usize, String> {
        let exchange = async {
            let request = Request::get(path)
                .header(HOST, self.address.to_string())
                .header(ACCEPT_ENCODING, "gzip")
                .header(AUTHORIZATION, format!("Bearer {}", self.token))
                .body(Empty::<Bytes>::new())?;
            self.sender.ready().await?;
            let response = self.sender.send_request(request).await?;
            let status = response.status();
            let body = Limited::new(response.into_body(), LARGEST).collect().await?;
            Ok::<_, Box<dyn Error + Send + Sync>>((status, body.to_bytes().len()))
        };
        let answer = tokio::time::timeout(PATIENCE, exchange).await;
        let answer = answer.map_err(|_| format!("{path}: no answer within {} s", PATIENCE.as_secs()))?;
        match answer.map_err(|error| format!("{path}: {error}"))? {
            (StatusCode::OK, octets) => Ok(octets),
            (status, _) => Err(format!("{path}: {status}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// Answers one request with these octets.
    async fn server(answer: &'static str) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1_024];
            let _length = stream.read(&mut request).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        address
    }

    #[tokio::test]
    async fn only_200_is_an_answer() {
        let get = async |answer| get(server(answer).await, "/x", None).await;
        assert_eq!(
            get("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
                .await
                .unwrap(),
            "ok"
        );
        let refused = get("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\n\r\nbusy")
            .await
            .unwrap_err();
        assert!(refused.contains("503") && refused.contains("busy"), "{refused}");
        assert!(get("nonsense\r\n\r\n").await.is_err());
    }
}
