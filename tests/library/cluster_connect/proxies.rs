//! The way to the API server through a SOCKS proxy.

use std::{
    io::{Read, Write},
    net::TcpListener,
    thread,
};

use crate::support::hostile_api::{Answer, HostileApi, kubeconfig};
use ngf_cluster::{ClusterOptions, connect};

/// A SOCKS5 proxy (RFC 1928) that wants this user and password (RFC 1929), or none.
pub(super) fn socks5(user: Option<(&'static str, &'static str)>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || relayed(stream, user));
        }
    });
    address
}

fn relayed(mut client: std::net::TcpStream, user: Option<(&str, &str)>) -> Option<()> {
    fn take(stream: &mut std::net::TcpStream, count: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; count];
        stream.read_exact(&mut bytes).ok()?;
        Some(bytes)
    }
    let methods = usize::from(take(&mut client, 2)?[1]);
    let methods = take(&mut client, methods)?;
    let method = if user.is_some() { 2 } else { 0 };
    assert!(methods.contains(&method), "{methods:?}");
    client.write_all(&[5, method]).ok()?;
    if let Some((name, password)) = user {
        let length = usize::from(take(&mut client, 2)?[1]);
        let given = take(&mut client, length)?;
        let length = usize::from(take(&mut client, 1)?[0]);
        let secret = take(&mut client, length)?;
        assert_eq!((given, secret), (name.into(), password.into()));
        client.write_all(&[1, 0]).ok()?;
    }
    let host = match take(&mut client, 4)?[3] {
        1 => {
            let bytes = take(&mut client, 4)?;
            std::net::Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3]).to_string()
        }
        _ => {
            let length = usize::from(take(&mut client, 1)?[0]);
            String::from_utf8(take(&mut client, length)?).ok()?
        }
    };
    let port = take(&mut client, 2)?;
    let port = u16::from_be_bytes([port[0], port[1]]);
    // A name that only the proxy can resolve.
    let host = host.replace("api.inside.example", "127.0.0.1");
    let mut server = std::net::TcpStream::connect((host.as_str(), port)).ok()?;
    client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).ok()?;
    let (mut back, mut to) = (server.try_clone().ok()?, client.try_clone().ok()?);
    thread::spawn(move || {
        let _ = std::io::copy(&mut back, &mut to);
        // An answer without a length ends with its connection.
        to.shutdown(std::net::Shutdown::Write)
    });
    std::io::copy(&mut client, &mut server).ok()?;
    Some(())
}

#[tokio::test(flavor = "multi_thread")]
async fn socks_proxies_lead_to_the_api_server_with_and_without_a_password() {
    let api = HostileApi::start(|_| Answer::Ordinary);
    let (_, port) = api.address.rsplit_once(':').expect("a port");
    for (user, scheme, before) in [
        (None, "socks5", ""),
        (None, "socks5h", ""),
        (Some(("me", "a@b")), "socks5", "me:a%40b@"),
    ] {
        let proxy = socks5(user);
        let options = ClusterOptions {
            kubeconfig_text: Some(kubeconfig(
                &format!("http://api.inside.example:{port}"),
                &format!(", proxy-url: \"{scheme}://{before}{proxy}\""),
                "token: abc",
            )),
            ..ClusterOptions::default()
        };
        let cluster = connect(&options).await.expect("a connection");
        assert_eq!(
            cluster.server(),
            format!("http://api.inside.example:{port}")
        );
    }
}
