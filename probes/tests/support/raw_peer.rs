//! A peer that sends exactly what a test says.

use std::future::Future;

use tokio::net::{TcpListener, TcpStream};

/// Listens, and does `serve` with each connection that comes, until the runtime ends.
pub(crate) async fn listen<F, T>(serve: F) -> u16
where
    F: Fn(TcpStream) -> T + Send + 'static,
    T: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    port
}
