//! `pods/NAME/exec` over a websocket: each message begins with the number of its channel
//! (`k8s.io/apimachinery/pkg/util/remotecommand`, `v4.channel.k8s.io`, `v5.channel.k8s.io`; the latter
//! can close a channel alone). There are no terminals.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::Query;
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use axum::response::Response;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::error::ApiError;
use super::{Api, Call, Target};
use crate::pods::{Ends, Exit, Place, pipes};

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const STATUS: u8 = 3;
/// The second byte is the channel that is closed.
const CLOSE: u8 = 255;
/// Bytes of output in one message.
const CHUNK: usize = 32 << 10;
/// Messages on their way to the client.
const AHEAD: usize = 16;
/// How long the goodbye may take.
const GOODBYE: Duration = Duration::from_secs(2);
/// How long a container runtime takes to start a process. kubectl drops what comes before it has made its
/// streams (client-go's `wsStreamCreator`), which a node is never quick enough for.
const START: Duration = Duration::from_millis(100);
/// Words of a command, and bytes of them.
const MAX_COMMAND: usize = 64 << 10;

/// What the client asked for.
struct ExecRequest {
    stdin: bool,
    stdout: bool,
    stderr: bool,
    command: Vec<String>,
}

/// Answers the upgrade, and serves what comes after it.
pub(super) fn serve(api: &Arc<Api>, call: &Call, target: Target<'_>) -> Result<Response, ApiError> {
    let namespace = target.namespace.unwrap_or_default();
    let pod = api
        .store
        .get(target.kind, namespace, target.name)
        .ok_or_else(|| ApiError::not_found(target.kind, target.name))?;
    let parameters = parameters(call)?;
    let container = default_container(&pod, target.name, call.param("container"))?;
    let words = parameters.into_iter().filter(|(name, _)| name == "command");
    let command: Vec<String> = words.map(|(_, word)| word).collect();
    if command.is_empty() {
        return Err(ApiError::bad_request(
            "you must specify at least 1 command for the container",
        ));
    }
    if call.flag("tty") {
        return Err(ApiError::bad_request(
            "the sandbox has no terminals: run kubectl exec without -t",
        ));
    }
    let wanted = ExecRequest {
        stdin: call.flag("stdin"),
        stdout: call.flag("stdout"),
        stderr: call.flag("stderr"),
        command,
    };
    if !(wanted.stdin || wanted.stdout || wanted.stderr) {
        return Err(ApiError::bad_request(
            "you must specify at least one of stdin, stdout, stderr",
        ));
    }
    let place = api
        .pods
        .place(&pod, &container)
        .map_err(|why| ApiError::bad_request(format!("unable to upgrade connection: {why}")))?;
    let protocols = api.version.exec_protocols();
    let (upgrade, protocol) = super::upgrade(call, protocols)?;
    let stop = api.stop.clone();
    let closes_alone = protocol.starts_with("v5");
    let permit = super::stream_permit(api)?;
    Ok(upgrade.on_upgrade(move |socket| async move {
        let _counted = permit;
        tokio::select! {
            () = stop.cancelled() => {}
            () = async {
                sleep(START).await;
                run(socket, place, wanted, closes_alone).await;
            } => {}
        }
    }))
}

/// All parameters, those that come more than once too.
fn parameters(call: &Call) -> Result<Vec<(String, String)>, ApiError> {
    let query = call.parts.uri.query().unwrap_or_default();
    if query.len() > MAX_COMMAND {
        return Err(ApiError::bad_request("the command is too long"));
    }
    Query::<Vec<(String, String)>>::try_from_uri(&call.parts.uri)
        .map(|Query(all)| all)
        .map_err(|error| ApiError::bad_request(format!("the query cannot be read: {error}")))
}

/// The container that is meant: the named one, or the first. An ephemeral one has to be named.
fn default_container(pod: &Value, name: &str, asked: &str) -> Result<String, ApiError> {
    let names = |list: &str| -> Vec<&str> {
        let containers = pod["spec"][list].as_array();
        let containers = containers.into_iter().flatten();
        containers.filter_map(|c| c["name"].as_str()).collect()
    };
    let containers = names("containers");
    if asked.is_empty() {
        if containers.len() > 1 {
            return Err(ApiError::bad_request(format!(
                "a container name must be specified for pod {name}, choose one of: [{}]",
                containers.join(" ")
            )));
        }
        return Ok(containers.first().copied().unwrap_or_default().to_owned());
    }
    let all = [
        containers,
        names("initContainers"),
        names("ephemeralContainers"),
    ]
    .concat();
    if all.contains(&asked) {
        Ok(asked.to_owned())
    } else {
        Err(ApiError::bad_request(format!(
            "container {asked} is not valid for pod {name}"
        )))
    }
}

async fn run(socket: WebSocket, place: Place, wanted: ExecRequest, closes_alone: bool) {
    let (sink, stream) = socket.split();
    let (messages, outgoing) = mpsc::channel(AHEAD);
    let writer = tokio::spawn(write(sink, outgoing));
    let (ends, streams) = pipes();
    let Ends {
        stdin,
        stdout,
        stderr,
    } = ends;
    let stdin = wanted.stdin.then_some(stdin);
    // What a client does not want to hear is read all the same: nothing may wait for it.
    let outputs = async {
        tokio::join!(
            pump(STDOUT, stdout, wanted.stdout, messages.clone()),
            pump(STDERR, stderr, wanted.stderr, messages.clone()),
        )
    };
    let performed = async {
        let (exit, _) = tokio::join!(place.perform(&wanted.command, streams), outputs);
        exit
    };
    let mut reading = std::pin::pin!(read(stream, stdin, closes_alone));
    // The client's end is the command's: its streams are gone.
    let exit = tokio::select! {
        exit = performed => exit,
        () = &mut reading => return,
        () = messages.closed() => return,
    };
    if let Exit::NoProgram(words) = &exit {
        let text = [&[STDERR], words.as_bytes(), b"\n"].concat();
        // A client that has gone needs no words.
        let _ = messages.send(Message::Binary(text.into())).await;
    }
    let text = [&[STATUS], status(&exit).to_string().as_bytes()].concat();
    let _ = messages.send(Message::Binary(text.into())).await;
    let _ = messages
        .send(Message::Close(Some(CloseFrame {
            code: 1000,
            reason: "".into(),
        })))
        .await;
    drop(messages);
    // What the client still sends is read: closed on unread bytes, a socket is reset, and the last
    // words with it.
    let _ = timeout(GOODBYE, async { tokio::join!(writer, reading) }).await;
}

async fn write(mut sink: SplitSink<WebSocket, Message>, mut outgoing: mpsc::Receiver<Message>) {
    // An empty message on each channel: it is open (`wsstream.Conn.initialize`).
    for channel in [STDOUT, STDERR, STATUS] {
        if sink
            .send(Message::Binary(Bytes::copy_from_slice(&[channel])))
            .await
            .is_err()
        {
            return;
        }
    }
    while let Some(message) = outgoing.recv().await {
        if sink.send(message).await.is_err() {
            return;
        }
    }
}

async fn pump(channel: u8, mut from: DuplexStream, wanted: bool, to: mpsc::Sender<Message>) {
    let mut chunk = vec![0; CHUNK + 1];
    chunk[0] = channel;
    while let Ok(count @ 1..) = from.read(&mut chunk[1..]).await {
        let message = Message::Binary(Bytes::copy_from_slice(&chunk[..=count]));
        if wanted && to.send(message).await.is_err() {
            return;
        }
    }
}

/// Hands over what is typed until the client goes.
async fn read(
    mut stream: SplitStream<WebSocket>,
    mut stdin: Option<impl tokio::io::AsyncWrite + Unpin>,
    closes_alone: bool,
) {
    while let Some(Ok(message)) = stream.next().await {
        let Message::Binary(bytes) = message else {
            if matches!(message, Message::Close(_)) {
                return;
            }
            continue;
        };
        match bytes.as_ref() {
            [STDIN, data @ ..] if !data.is_empty() => {
                if let Some(writer) = &mut stdin
                    && writer.write_all(data).await.is_err()
                {
                    // The command reads no more; what it still writes is worth waiting for.
                    stdin = None;
                }
            }
            [CLOSE, STDIN] if closes_alone => stdin = None,
            _ => {}
        }
    }
}

/// The `Status` that ends it (`k8s.io/kubelet/…/remotecommand/exec.go`).
fn status(exit: &Exit) -> Value {
    let code = match exit {
        Exit::Code(0) => return json!({"metadata": {}, "status": "Success"}),
        Exit::Code(code) => *code,
        Exit::NoProgram(_) => 127,
    };
    json!({
        "metadata": {},
        "status": "Failure",
        "message": format!("command terminated with non-zero exit code: exit status {code}"),
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": code.to_string()}]},
    })
}
