//! `pods/NAME/portforward` by channels of a websocket (`v4.channel.k8s.io`, two for each port), as
//! kube-rs speaks it. kubectl's port-forward speaks SPDY, which is not served.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::Query;
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use axum::response::Response;
use futures::stream::SplitSink;
use futures::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, split};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::error::ApiError;
use super::{Api, Call, Target};
use crate::dial::{DialError, Stream};
use crate::pods::{Live, Pods};

/// The subprotocols of the websocket.
const PROTOCOLS: &[&str] = &["v4.channel.k8s.io", "portforward.k8s.io"];
/// Ports of one request.
const MAX_PORTS: usize = 16;
/// Bytes of one message to the client.
const CHUNK: usize = 32 << 10;
/// Messages on their way to the client, and to a port.
const AHEAD: usize = 16;
/// How long the goodbye may take.
const GOODBYE: Duration = Duration::from_secs(2);

/// A pod whose ports are forwarded.
#[derive(Clone)]
struct Forwarded {
    pods: Arc<Pods>,
    live: Arc<Live>,
    uid: String,
}

impl Forwarded {
    /// Connects to `localhost` in the pod, as a kubelet does; an error is a kubelet's sentence.
    async fn dial(&self, port: u16) -> Result<Stream, String> {
        self.pods
            .dial_pod(&self.live, port, None)
            .await
            .map_err(|error| {
                let words = match error {
                    DialError::Refused => "connection refused",
                    DialError::Unreachable | DialError::Name => "no route to host",
                };
                format!(
                    "an error occurred forwarding {port} -> {port}: error forwarding port {port} to \
                     pod {}, uid : failed to execute portforward in network namespace \
                     \"/var/run/netns/cni-{}\": failed to connect to localhost:{port} inside \
                     namespace {:?}, IPv4: dial tcp4 127.0.0.1:{port}: connect: {words}",
                    self.live.name, self.uid, self.live.namespace
                )
            })
    }

    /// Waits until the pod is gone.
    async fn gone(&self) {
        self.live.stop.cancelled().await;
    }
}

/// Answers the upgrade, and serves what comes after it.
pub(super) fn serve(api: &Arc<Api>, call: &Call, target: Target<'_>) -> Result<Response, ApiError> {
    let namespace = target.namespace.unwrap_or_default();
    let pod = api
        .store
        .get(target.kind, namespace, target.name)
        .ok_or_else(|| ApiError::not_found(target.kind, target.name))?;
    let phase = pod.pointer("/status/phase").and_then(Value::as_str);
    let live = api.pods.of(&pod).filter(|_| phase == Some("Running"));
    let live = live.ok_or_else(|| {
        ApiError::bad_request(format!(
            "unable to forward port because pod is not running. Current status={}",
            phase.unwrap_or("Pending")
        ))
    })?;
    let (upgrade, _) = super::upgrade(call, PROTOCOLS)?;
    let forwarded = Forwarded {
        pods: api.pods.clone(),
        live,
        uid: crate::metadata::meta(&pod, "uid").to_owned(),
    };
    let (stop, permit) = (api.stop.clone(), super::stream_permit(api)?);
    let ports = ports(call)?;
    Ok(upgrade.on_upgrade(move |socket| async move {
        let _counted = permit;
        tokio::select! {
            () = stop.cancelled() => {}
            () = channels(socket, forwarded, ports) => {}
        }
    }))
}

fn ports(call: &Call) -> Result<Vec<u16>, ApiError> {
    let Query(all) = Query::<Vec<(String, String)>>::try_from_uri(&call.parts.uri)
        .map_err(|error| ApiError::bad_request(format!("the query cannot be read: {error}")))?;
    let given = all.iter().filter(|(name, _)| name == "ports");
    let texts = given.flat_map(|(_, list)| list.split(','));
    let ports: Result<Vec<u16>, _> = texts
        .map(|text| text.parse::<u16>().map_err(|_| text))
        .collect();
    match ports {
        Ok(ports) if (1..=MAX_PORTS).contains(&ports.len()) && !ports.contains(&0) => Ok(ports),
        Ok(_) => Err(ApiError::bad_request(
            "query parameter \"ports\" is required, from 1 to 65535 each",
        )),
        Err(text) => Err(ApiError::bad_request(format!(
            "query parameter \"ports\": Invalid value: {text:?}"
        ))),
    }
}

/// One connection for each port: data on the even channels, errors on the odd ones.
async fn channels(socket: WebSocket, forwarded: Forwarded, ports: Vec<u16>) {
    let (sink, mut stream) = socket.split();
    let (messages, outgoing) = mpsc::channel(AHEAD);
    let writer = tokio::spawn(write(sink, outgoing));
    let (mut inputs, mut connections) = (Vec::new(), Vec::new());
    for (index, port) in ports.into_iter().enumerate() {
        let (input, bytes) = mpsc::channel(AHEAD);
        inputs.push(input);
        let channel = index as u8 * 2;
        connections.push(connection(
            forwarded.clone(),
            port,
            channel,
            bytes,
            messages.clone(),
        ));
    }
    let mut reading = std::pin::pin!(async {
        while let Some(Ok(message)) = stream.next().await {
            match message {
                Message::Binary(bytes) => {
                    let channel = bytes.first().copied().unwrap_or(u8::MAX);
                    let input = inputs.get(usize::from(channel / 2));
                    if let Some(input) = input.filter(|_| channel % 2 == 0) {
                        // A connection that has ended takes no more.
                        let _ = input.send(bytes.slice(1..)).await;
                    }
                }
                Message::Close(_) => return,
                _ => {}
            }
        }
    });
    tokio::select! {
        _ = futures::future::join_all(connections) => {}
        () = &mut reading => return,
        () = forwarded.gone() => {}
    }
    let close = CloseFrame {
        code: 1000,
        reason: "".into(),
    };
    // Whoever has gone needs no goodbye.
    let _ = messages.send(Message::Close(Some(close))).await;
    drop(messages);
    // Closed on unread bytes, a socket is reset, and what was sent last with it.
    let _ = timeout(GOODBYE, async { tokio::join!(writer, reading) }).await;
}

async fn write(mut sink: SplitSink<WebSocket, Message>, mut outgoing: mpsc::Receiver<Message>) {
    while let Some(message) = outgoing.recv().await {
        if sink.send(message).await.is_err() {
            return;
        }
    }
}

async fn connection(
    forwarded: Forwarded,
    port: u16,
    channel: u8,
    mut input: mpsc::Receiver<Bytes>,
    messages: mpsc::Sender<Message>,
) {
    let frame = |channel: u8, bytes: &[u8]| {
        let mut message = vec![channel];
        message.extend_from_slice(bytes);
        Message::Binary(message.into())
    };
    for channel in [channel, channel + 1] {
        if messages
            .send(frame(channel, &port.to_le_bytes()))
            .await
            .is_err()
        {
            return;
        }
    }
    let stream = match forwarded.dial(port).await {
        Ok(stream) => stream,
        Err(why) => {
            let _ = messages.send(frame(channel + 1, why.as_bytes())).await;
            return;
        }
    };
    let (mut from, mut to) = split(stream);
    let up = async {
        while let Some(bytes) = input.recv().await {
            if to.write_all(&bytes).await.is_err() {
                break;
            }
        }
        std::future::pending::<()>().await;
    };
    let down = async {
        let mut chunk = vec![0; CHUNK];
        loop {
            match from.read(&mut chunk).await {
                Ok(0) => return,
                Ok(count) => {
                    if messages
                        .send(frame(channel, &chunk[..count]))
                        .await
                        .is_err()
                    {
                        return;
                    }
                }
                Err(error) => {
                    let why = format!(
                        "error forwarding port {port}: read tcp4 127.0.0.1:{port}: read: {}",
                        if error.kind() == std::io::ErrorKind::ConnectionReset {
                            "connection reset by peer"
                        } else {
                            "broken pipe"
                        }
                    );
                    let _ = messages.send(frame(channel + 1, why.as_bytes())).await;
                    return;
                }
            }
        }
    };
    tokio::select! {
        () = up => {}
        () = down => {}
    }
}
