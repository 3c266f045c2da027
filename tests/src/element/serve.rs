//! One element's socket.

use super::{Behaviour, Element};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::net::UdpSocket;

/// Longer requests are cut, and so not understood.
const LONGEST_REQUEST: usize = 4_096;

/// Answers datagrams one after the other, as long as the task lives.
pub async fn serve(element: Arc<Element>, socket: UdpSocket) {
    let mut buffer = vec![0; LONGEST_REQUEST];
    loop {
        // An error here is an earlier answer that nobody took; the next request may fare better.
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else {
            tokio::task::yield_now().await;
            continue;
        };
        let [received, sent] = &element.octets;
        received.fetch_add(octets(length), Ordering::Relaxed);
        let Some(answer) = buffer.get(..length).and_then(|datagram| element.answer(datagram)) else {
            continue;
        };
        if let Behaviour::Slow(pause) = element.behaviour {
            tokio::time::sleep(pause).await;
        }
        let times = match element.behaviour {
            Behaviour::Amplifying(times) => times,
            _ => 1,
        };
        for _ in 0..times {
            sent.fetch_add(octets(answer.len()), Ordering::Relaxed);
            let _lost_like_any_datagram = socket.send_to(&answer, from).await;
        }
    }
}

fn octets(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(0)
}
