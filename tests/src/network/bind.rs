//! One port on many loopback addresses.

use super::NetworkError;
use std::net::{Ipv4Addr, UdpSocket};

/// How many free ports are tried before giving up.
const TRIES: usize = 50;

/// A socket for each address, all on the same port.
pub(super) fn all(addresses: &[Ipv4Addr], port: Option<u16>) -> Result<(u16, Vec<UdpSocket>), NetworkError> {
    if let Some(port) = port {
        return each(addresses, port).map(|sockets| (port, sockets));
    }
    let mut tried = Err(NetworkError::Data("there is no element to listen for".to_owned()));
    for _ in 0..TRIES {
        let Some(port) = addresses.first().and_then(|first| free_at(*first)) else {
            break;
        };
        tried = each(addresses, port).map(|sockets| (port, sockets));
        if tried.is_ok() {
            break;
        }
    }
    tried
}

fn each(addresses: &[Ipv4Addr], port: u16) -> Result<Vec<UdpSocket>, NetworkError> {
    let listen = |address: &Ipv4Addr| {
        let socket = UdpSocket::bind((*address, port)).and_then(|socket| {
            socket.set_nonblocking(true)?;
            Ok(socket)
        });
        socket.map_err(|source| NetworkError::Listen {
            address: *address,
            port,
            source,
        })
    };
    addresses.iter().map(listen).collect()
}

/// A port that is free at one address right now.
fn free_at(address: Ipv4Addr) -> Option<u16> {
    UdpSocket::bind((address, 0))
        .and_then(|socket| socket.local_addr())
        .ok()
        .map(|bound| bound.port())
}
