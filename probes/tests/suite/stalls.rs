//! Where an answer stalled, told from the records of peers that are slow at one place.

use std::time::Duration;

use crate::support::pki::{Issued, Template};
use crate::support::{HOST, over_tls, raw_peer, run};
use ngf_probes::stall::{Place, Stall, longest};
use ngf_tls::transcript::Transcript;
use openssl::ssl::{Ssl, SslAcceptor, SslMethod, SslVersion};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const PAUSE: Duration = Duration::from_millis(400);

/// Where a server makes its pause.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Pause {
    BeforeServerHello,
    WithinServerFlight,
    BeforeAnswer,
    Nowhere,
}

/// A relay that lets so many bytes of the server pass before it makes its pause.
async fn relay(client: TcpStream, server: u16, bytes_before_pause: usize) {
    let server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
    let mut passed = 0;
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = from_server.read(&mut buffer).await {
        let mut bytes = &buffer[..read];
        if passed <= bytes_before_pause && passed + read > bytes_before_pause {
            let (first, rest) = bytes.split_at(bytes_before_pause - passed);
            to_client.write_all(first).await.unwrap();
            tokio::time::sleep(PAUSE).await;
            bytes = rest;
        }
        passed += read;
        if to_client.write_all(bytes).await.is_err() {
            return;
        }
    }
}

async fn serve(stream: TcpStream, app: Issued, pause: Pause) {
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls()).unwrap();
    acceptor.set_certificate(&app.certificate).unwrap();
    acceptor.set_private_key(&app.key).unwrap();
    acceptor
        .set_max_proto_version(Some(SslVersion::TLS1_3))
        .unwrap();
    if pause == Pause::BeforeServerHello {
        tokio::time::sleep(PAUSE).await;
    }
    let ssl = Ssl::new(acceptor.build().context()).unwrap();
    let mut stream = tokio_openssl::SslStream::new(ssl, stream).unwrap();
    std::pin::Pin::new(&mut stream).accept().await.unwrap();
    let mut request = [0; 4096];
    let _ = stream.read(&mut request).await.unwrap();
    if pause == Pause::BeforeAnswer {
        tokio::time::sleep(PAUSE).await;
    }
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
    stream.write_all(answer).await.unwrap();
    stream.shutdown().await.unwrap();
}

async fn probed(pause: Pause) -> Transcript {
    let ca = Template::ca("LocalCA").self_signed();
    let app = Template::server(HOST).signed_by(&ca);
    let mut port = raw_peer::listen(move |stream| serve(stream, app.clone(), pause)).await;
    if pause == Pause::WithinServerFlight {
        // In the middle of the ServerHello's record.
        let server = port;
        port = raw_peer::listen(move |stream| relay(stream, server, 40)).await;
    }
    run(&over_tls(port, &[&ca])).await
}

fn assert_is_the_pause(stall: &Stall) {
    assert!(stall.duration() >= PAUSE / 2, "{stall}");
    assert!(stall.to_string().contains(" s"), "{stall}");
}

#[tokio::test]
async fn a_silent_server_is_told_from_one_that_breaks_off_within_a_record() {
    let stall = longest(&probed(Pause::BeforeServerHello).await).unwrap();
    assert_is_the_pause(&stall);
    assert_eq!(
        stall.place,
        Place::Answer {
            to: "ClientHello".to_owned()
        }
    );

    let stall = longest(&probed(Pause::WithinServerFlight).await).unwrap();
    assert_is_the_pause(&stall);
    assert!(
        matches!(&stall.place, Place::WithinRecord { content_type, .. } if content_type == "handshake"),
        "{stall:?}"
    );
    assert!(stall.to_string().contains("within a record"), "{stall}");

    let stall = longest(&probed(Pause::BeforeAnswer).await).unwrap();
    assert_is_the_pause(&stall);
    assert_eq!(
        stall.place,
        Place::Answer {
            to: "HTTP request".to_owned()
        }
    );
}

#[tokio::test]
async fn a_quick_server_stalls_nowhere() {
    let transcript = probed(Pause::Nowhere).await;
    // A busy machine may pause by itself; but then not for as long as these servers do.
    if let Some(stall) = longest(&transcript) {
        assert!(stall.duration() < PAUSE, "{stall}");
    }
}

#[tokio::test]
async fn what_never_came_is_a_stall_to_the_end_of_the_probe() {
    let port = raw_peer::listen(|mut stream| async move {
        let mut hello = [0; 4096];
        let _ = stream.read(&mut hello).await;
        stream.write_all(&[22, 3, 3, 0, 100, 2, 0]).await.unwrap();
        std::future::pending::<()>().await;
    })
    .await;
    let ca = Template::ca("LocalCA").self_signed();
    let mut spec = over_tls(port, &[&ca]);
    spec.timeout = PAUSE;
    let stall = longest(&run(&spec).await).unwrap();
    assert_is_the_pause(&stall);
    assert!(
        stall
            .to_string()
            .contains("2 of the 100 bytes of a record of type handshake came"),
        "{stall}"
    );
}
