//! Directly from the machine that the probe runs on: DNS, then TCP.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::{Dial, DialError, Dialled, Fault, Target};
use crate::dial::{dns, tcp};
use crate::recorder::Recorder;

/// Dials from here, with the names that this machine's resolver knows.
#[derive(Debug, Clone, Copy, Default)]
pub struct Direct;

/// A name with more addresses than this is tried at the first so many.
const MOST_ADDRESSES: usize = 8;

impl Dial for Direct {
    fn via(&self) -> &'static str {
        "direct"
    }

    fn dial<'a>(
        &'a self,
        target: &'a Target,
        recorder: &'a Recorder,
    ) -> BoxFuture<'a, Result<Dialled, DialError>> {
        async move {
            let until = Instant::now() + target.timeout;
            let addresses = dns::resolve(&target.host, until, recorder).await?;
            let addresses: Vec<SocketAddr> = addresses
                .into_iter()
                .take(MOST_ADDRESSES)
                .map(|address| SocketAddr::new(address, target.port))
                .collect();
            let mut last = None;
            for (tried, &address) in addresses.iter().enumerate() {
                let share = share_of(until, addresses.len() - tried);
                match tcp::connect(address, share, recorder).await {
                    Ok(stream) => {
                        return Ok(Dialled {
                            stream: Box::new(stream),
                            address: Some(address.to_string()),
                            fault: Fault::default(),
                        });
                    }
                    Err(error) => last = Some(error),
                }
            }
            Err(last.unwrap_or_else(|| DialError::Name {
                host: target.host.clone(),
                reason: "the answer holds no address".to_owned(),
                is_authoritative: true,
            }))
        }
        .boxed()
    }
}

/// The time for one of `left` addresses that have until `until`.
fn share_of(until: Instant, left: usize) -> Duration {
    let remaining = until.saturating_duration_since(Instant::now());
    remaining / u32::try_from(left.max(1)).unwrap_or(1)
}
