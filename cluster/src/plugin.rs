//! Runs the credential plugin of a kubeconfig (`users[].user.exec`), bounded in time and output.
//!
//! Before the screen is drawn a plugin may ask its user, as with kubectl: it reads the terminal, and
//! what it writes to standard error is shown without control characters. Once the screen is drawn it
//! reads nothing, has no terminal, and the last line of its standard error becomes a message.

use std::{
    io::{IsTerminal, Write},
    process::{ExitStatus, Stdio},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use kube::config::{ExecConfig, ExecInteractiveMode};
use ngf_text::sanitize;
use serde::Deserialize;
use serde_json::json;
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, Command},
    sync::mpsc,
    time::{Instant, sleep_until},
};
use zeroize::{Zeroize, Zeroizing};

use super::error::bounded;
use ngf_core::model::clean::clean_line;

/// How long a plugin may take; it may wait for a person who logs in.
pub(super) const LIMIT: Duration = Duration::from_mins(1);
/// How long its output may stay open once it has ended.
const GRACE: Duration = Duration::from_secs(1);
/// Bytes of its answer.
const MAX_ANSWER: usize = 1 << 20;
/// Bytes of its standard error that are shown.
const MAX_WORDS: usize = 256 << 10;
/// The last bytes of its standard error, which are kept for a message.
const KEPT_WORDS: usize = 4 << 10;

/// Whether the screen is drawn, and where messages go then.
#[derive(Debug, Default)]
pub(super) struct Screen {
    is_drawn: AtomicBool,
    messages: Mutex<Option<mpsc::Sender<String>>>,
}

impl Screen {
    /// The screen is drawn from now on; returns the messages of plugins.
    pub(super) fn drawn(&self) -> mpsc::Receiver<String> {
        let (sender, messages) = mpsc::channel(8);
        *self.lock() = Some(sender);
        self.is_drawn.store(true, Ordering::Release);
        messages
    }

    fn is_drawn(&self) -> bool {
        self.is_drawn.load(Ordering::Acquire)
    }

    fn say(&self, message: String) {
        if let Some(messages) = &*self.lock() {
            // Nobody reads the ninth message of a moment.
            let _ = messages.try_send(message);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<mpsc::Sender<String>>> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a plugin answers: `status` of an `ExecCredential` (client.authentication.k8s.io).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Credential {
    pub(super) expiration_timestamp: Option<String>,
    pub(super) token: Option<String>,
    pub(super) client_certificate_data: Option<String>,
    pub(super) client_key_data: Option<String>,
}

impl Drop for Credential {
    fn drop(&mut self) {
        self.token.zeroize();
        self.client_key_data.zeroize();
    }
}

#[derive(Deserialize)]
struct ExecCredential {
    status: Option<Credential>,
}

/// Whether the plugin may ask its user now.
pub(super) fn may_ask(exec: &ExecConfig, screen: &Screen) -> bool {
    exec.interactive_mode != Some(ExecInteractiveMode::Never)
        && !screen.is_drawn()
        && std::io::stdin().is_terminal()
}

/// Runs a plugin. An error is the rest of a sentence that begins with the credentials; it holds nothing
/// of the plugin's answer, its arguments or its environment.
pub(super) async fn run(
    exec: &ExecConfig,
    screen: &Screen,
    limit: Duration,
) -> Result<Credential, String> {
    let Some(program) = exec
        .command
        .as_deref()
        .filter(|command| !command.is_empty())
    else {
        return Err("its plugin has no command".to_owned());
    };
    let name = format!("its plugin {:?}", clean_line(program));
    let asks = may_ask(exec, screen);
    let is_drawn = screen.is_drawn();
    let always = exec.interactive_mode == Some(ExecInteractiveMode::Always);
    if always && !asks {
        return Err(if is_drawn {
            format!(
                "{name} has to ask you something (interactiveMode: Always), and cannot while this screen is open: quit and start again"
            )
        } else {
            format!(
                "{name} has to ask its user (interactiveMode: Always), and standard input is not a terminal"
            )
        });
    }
    let mut command = command(exec, program, asks);
    if always {
        command.stderr(Stdio::inherit());
    }
    if is_drawn {
        // In a process group of its own it can neither read the terminal nor change its mode.
        #[cfg(unix)]
        command.process_group(0);
    }
    let child = command.spawn().map_err(|cause| {
        let hint = exec.install_hint.as_deref();
        let hint = hint.map_or_else(String::new, |hint| format!(" ({})", bounded(hint)));
        format!("{name} does not start: {cause}; install it or put it in PATH{hint}")
    })?;
    let mut running = Running {
        child,
        has_group: is_drawn,
        shows: !is_drawn,
        answer: Zeroizing::new(Vec::with_capacity(16 << 10)),
        words: Vec::new(),
        shown: 0,
    };
    let ended = running.until_end(limit).await;
    let last = running.last_words();
    let status = match ended {
        Ended::Yes(status) => status,
        Ended::TooLate => return Err(format!("{name} did not end within {} s", limit.as_secs())),
        Ended::TooMuch => {
            return Err(format!("{name} wrote more than {} MiB", MAX_ANSWER >> 20));
        }
        Ended::Broken(why) => return Err(format!("{name} failed: {why}")),
    };
    if !status.success() {
        let last = last.map_or_else(String::new, |last| format!(": {last}"));
        return Err(format!("{name} failed ({status}){last}"));
    }
    let answer = parse(&running.answer);
    if answer.is_none() && running.is_held() {
        return Err(format!(
            "{name} ended, left a process behind that holds its output open, and gave no ExecCredential"
        ));
    }
    if is_drawn && let Some(last) = last {
        screen.say(format!("plugin {:?}: {last}", clean_line(program)));
    }
    answer.ok_or_else(|| format!("{name} does not answer with an ExecCredential"))
}

fn command(exec: &ExecConfig, program: &str, asks: bool) -> Command {
    let mut command = Command::new(program);
    command.args(exec.args.iter().flatten());
    for variable in exec.env.iter().flatten() {
        if let (Some(name), Some(value)) = (variable.get("name"), variable.get("value")) {
            command.env(name, value);
        }
    }
    let mut spec = json!({"interactive": asks});
    if let Some(cluster) = &exec.cluster {
        spec["cluster"] = serde_json::to_value(cluster).unwrap_or_default();
    }
    let info = json!({"apiVersion": exec.api_version, "kind": "ExecCredential", "spec": spec});
    command.env("KUBERNETES_EXEC_INFO", info.to_string());
    for name in exec.drop_env.iter().flatten() {
        command.env_remove(name);
    }
    command
        .stdin(if asks {
            Stdio::inherit()
        } else {
            Stdio::null()
        })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// An answer is JSON; some plugins write YAML.
fn parse(answer: &[u8]) -> Option<Credential> {
    let credential: Option<ExecCredential> = serde_json::from_slice(answer).ok().or_else(|| {
        let text = std::str::from_utf8(answer).ok()?;
        serde_saphyr::from_str(text).ok()
    });
    credential?.status
}

/// How a plugin ended.
enum Ended {
    Yes(ExitStatus),
    TooLate,
    TooMuch,
    Broken(String),
}

/// A plugin that runs.
struct Running {
    child: Child,
    has_group: bool,
    /// Whether its words go to standard error.
    shows: bool,
    answer: Zeroizing<Vec<u8>>,
    words: Vec<u8>,
    shown: usize,
}

impl Running {
    /// Reads what it writes until it has ended and its output is closed.
    async fn until_end(&mut self, limit: Duration) -> Ended {
        let mut until = Instant::now() + limit;
        let mut status = None;
        let mut output = self.child.stdout.take();
        let mut errors = self.child.stderr.take();
        let (mut answered, mut said) = ([0; 8 << 10], [0; 8 << 10]);
        loop {
            if let (Some(status), None, None) = (status, &output, &errors) {
                return Ended::Yes(status);
            }
            tokio::select! {
                read = read(&mut output, &mut answered), if output.is_some() => {
                    if self.answer.len() + read > MAX_ANSWER {
                        answered.zeroize();
                        return Ended::TooMuch;
                    }
                    self.answer.extend_from_slice(&answered[..read]);
                    answered.zeroize();
                }
                read = read(&mut errors, &mut said), if errors.is_some() => self.said(&said[..read]),
                ended = self.child.wait(), if status.is_none() => match ended {
                    Ok(ended) => {
                        status = Some(ended);
                        until = until.min(Instant::now() + GRACE);
                    }
                    Err(error) => return Ended::Broken(error.to_string()),
                },
                () = sleep_until(until) => {
                    // A process that it left behind keeps its output open.
                    self.child.stdout = output;
                    return status.map_or(Ended::TooLate, Ended::Yes);
                }
            }
        }
    }

    fn said(&mut self, words: &[u8]) {
        self.words.extend_from_slice(words);
        let excess = self.words.len().saturating_sub(KEPT_WORDS);
        self.words.drain(..excess);
        if self.shows && self.shown < MAX_WORDS {
            self.shown += words.len();
            let text = sanitize::block(&String::from_utf8_lossy(words), words.len());
            // Nobody reads it where standard error is closed.
            let _ = std::io::stderr().write_all(text.as_bytes());
        }
    }

    /// The last line of its standard error.
    fn last_words(&self) -> Option<String> {
        let text = String::from_utf8_lossy(&self.words);
        let last = text.lines().rev().find(|line| !line.trim().is_empty())?;
        Some(bounded(last))
    }

    /// Whether something else still holds its output.
    fn is_held(&self) -> bool {
        self.child.stdout.is_some()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The child itself ends with its value; what it started is in its group.
        #[cfg(unix)]
        if self.has_group
            && let Some(group) = self
                .child
                .id()
                .and_then(|id| i32::try_from(id).ok())
                .and_then(rustix::process::Pid::from_raw)
        {
            // It may have ended in this moment.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }
}

/// Reads some bytes; at the end, or where it breaks, the stream is gone.
async fn read(stream: &mut Option<impl AsyncRead + Unpin>, buffer: &mut [u8]) -> usize {
    let Some(open) = stream else { return 0 };
    let read = open.read(buffer).await.unwrap_or(0);
    if read == 0 {
        *stream = None;
    }
    read
}
