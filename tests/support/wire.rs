//! A wire to the API server that can be cut.

use std::net::SocketAddr;

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

/// A wire between the tool and the API server that can be cut and repaired.
pub(crate) struct Wire {
    pub(crate) address: SocketAddr,
    to: SocketAddr,
    task: Option<JoinHandle<()>>,
}

impl Wire {
    pub(crate) async fn to(to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let task = Some(tokio::spawn(carry(listener, to)));
        Self { address, to, task }
    }

    /// Breaks every connection, and takes no new ones.
    pub(crate) async fn cut(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
            assert!(task.await.is_err(), "it carries for ever");
        }
    }

    pub(crate) async fn mend(&mut self) {
        let listener = TcpListener::bind(self.address).await.expect("the port");
        self.task = Some(tokio::spawn(carry(listener, self.to)));
    }
}

async fn carry(listener: TcpListener, to: SocketAddr) {
    // dropped with the task, which ends every connection
    let mut connections = JoinSet::new();
    while let Ok((mut near, _)) = listener.accept().await {
        connections.spawn(async move {
            let mut far = TcpStream::connect(to).await?;
            copy_bidirectional(&mut near, &mut far).await
        });
    }
}
