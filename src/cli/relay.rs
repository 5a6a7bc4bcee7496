//! `relay`: standard input and output to a TCP connection. What the tool's own image does in a pod,
//! where no shell and no nc is; it says the same as the script that looks for those.

use std::{io, time::Duration};

use tokio::{
    fs::File,
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{
    CliError, EXIT_FOUND, EXIT_OK, args::RelayArgs, connect::parse_host_and_port, output as out,
};

/// Bytes that are moved at a time.
const CHUNK: usize = 32 << 10;

/// Runs it: exit 0 when the other side closed, 1 when there was no connection or it was reset.
pub(super) async fn run(args: &RelayArgs) -> Result<u8, CliError> {
    let (host, port) = parse_host_and_port(&args.address).ok_or_else(|| {
        format!(
            "relay {}: write HOST:PORT, with a port from 1 to 65535",
            args.address
        )
    })?;
    out::say("ngf-tui: by ngf-tui");
    let patience = Duration::from_secs(args.timeout);
    let connecting = timeout(patience, TcpStream::connect((host.as_str(), port)));
    let stream = match connecting.await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            out::say(&format!("can't connect to {}: {error}", args.address));
            return Ok(EXIT_FOUND);
        }
        Err(_) => {
            out::say("ngf-tui: timed out");
            return Ok(EXIT_FOUND);
        }
    };
    // Without it, a small record waits for the acknowledgement of the one before it.
    let _ = stream.set_nodelay(true);
    out::say("ngf-tui: connected");
    let (input, output) = standard_streams()?;
    let relaying = relay(stream, input, output);
    match timeout(Duration::from_secs(args.life), relaying).await {
        Ok(Ok(())) | Err(_) => Ok(EXIT_OK),
        Ok(Err(error)) => {
            out::say(&error.to_string());
            Ok(EXIT_FOUND)
        }
    }
}

/// Standard input and output, unbuffered.
#[cfg(unix)]
fn standard_streams() -> io::Result<(File, File)> {
    use std::os::fd::AsFd;
    let input = io::stdin().as_fd().try_clone_to_owned()?;
    let output = io::stdout().as_fd().try_clone_to_owned()?;
    let file = |stream| File::from_std(std::fs::File::from(stream));
    Ok((file(input), file(output)))
}

/// Standard input and output, unbuffered.
#[cfg(not(unix))]
fn standard_streams() -> io::Result<(File, File)> {
    Err(io::Error::other(
        "relay runs in containers of Linux, and not on this system",
    ))
}

/// Sleeps: `ngf-tui sleep 300`, as an image with coreutils would `sleep 300`.
pub(super) async fn sleep(seconds: u64) -> Result<u8, CliError> {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    Ok(EXIT_OK)
}

/// Until the other side closes; the end of `input` is passed on to it.
async fn relay(
    stream: TcpStream,
    mut input: impl AsyncRead + Unpin,
    mut output: impl AsyncWrite + Unpin,
) -> io::Result<()> {
    let (mut from, mut to) = stream.into_split();
    let up = async {
        copy(&mut input, &mut to).await?;
        to.shutdown().await?;
        // What comes back is still under way.
        std::future::pending::<io::Result<()>>().await
    };
    tokio::select! {
        result = copy(&mut from, &mut output) => result,
        result = up => result,
    }
}

async fn copy(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = from.read(&mut chunk).await?;
        if read == 0 {
            return Ok(());
        }
        to.write_all(&chunk[..read]).await?;
        to.flush().await?;
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn ten_megabytes_both_ways_at_once_and_the_end_is_passed_on() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let echo = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let (mut from, mut to) = stream.split();
            copy(&mut from, &mut to).await.expect("an end");
        });
        let bytes: Vec<u8> = (0..10u32 << 20).map(|n| (n % 251) as u8).collect();
        let stream = TcpStream::connect(address).await.expect("a connection");
        let mut back = Vec::new();
        relay(stream, bytes.as_slice(), &mut back)
            .await
            .expect("an orderly end");
        echo.await.expect("it ends");
        assert!(back == bytes, "{} bytes came back", back.len());
    }
}
