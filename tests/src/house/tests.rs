//! What keeps a house from starting.

use super::*;

/// Why a house with no processes does not start.
async fn refused(change: impl FnOnce(&mut HouseSpec)) -> HouseError {
    let mut spec = HouseSpec::new("/nonexistent", Plan::small());
    change(&mut spec);
    House::start(spec).await.unwrap_err()
}

#[tokio::test]
async fn data_stays_with_its_port() {
    let data = tempfile::tempdir().unwrap();
    std::fs::write(data.path().join("snmp.port"), "5000\n").unwrap();
    let error = refused(|spec| {
        spec.data = Some(data.path().to_owned());
        spec.snmp = Some(5001);
    })
    .await;
    let port = matches!(
        error,
        HouseError::Port {
            last: 5000,
            asked: 5001,
            ..
        }
    );
    assert!(port, "{error}");
}

#[tokio::test]
async fn an_address_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = taken.local_addr().unwrap();
    for who in ["browsers", "agents"] {
        let error = refused(|spec| match who {
            "browsers" => spec.http = Some(at),
            _ => spec.grpc = Some(at),
        })
        .await;
        assert_eq!(error.to_string(), format!("cannot listen on {at} for {who}"));
    }
}
