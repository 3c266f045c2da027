//! An element on loopback that the input plays, in a runtime whose time goes on only when
//! everybody waits for it: silence costs nothing, and a run is the same each time.

use std::future::Future;
use tokio::net::UdpSocket;
use tokio::runtime::{Builder, Runtime};

/// Turns that the runtime gets to deliver what was sent before time may go on.
const TURNS: u32 = 6;

pub fn runtime() -> Runtime {
    let mut builder = Builder::new_current_thread();
    builder.enable_all().start_paused(true);
    builder.build().expect("a runtime")
}

/// What comes of `asking` while each request is answered with these datagrams.
pub async fn against<T>(
    element: &UdpSocket,
    asking: impl Future<Output = T>,
    mut answer: impl FnMut(&[u8]) -> Vec<Vec<u8>>,
) -> T {
    let mut asking = std::pin::pin!(asking);
    let mut buffer = vec![0; 65_535];
    let mut turns = TURNS;
    loop {
        tokio::select! {
            biased;
            done = &mut asking => return done,
            heard = element.recv_from(&mut buffer) => {
                let Ok((length, from)) = heard else { continue };
                for datagram in answer(&buffer[..length]) {
                    // One that is too long is lost.
                    let _ = element.send_to(&datagram, from).await;
                }
                turns = TURNS;
            }
            () = tokio::task::yield_now(), if turns > 0 => turns -= 1,
        }
    }
}
