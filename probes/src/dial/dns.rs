//! From a name to addresses, with who answered what.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use hickory_resolver::Resolver;
use hickory_resolver::config::{LookupIpStrategy, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::system_conf::read_system_conf;
use tokio::time::timeout_at;

use crate::dial::DialError;
use crate::recorder::Recorder;
use ngf_tls::transcript::{Direction, Layer, Step, StepStatus};

/// The step's name.
pub const NAME: &str = "DNS";

/// Where a name's answers can come from before any server is asked.
const HOSTS_FILE: &str = "/etc/hosts";

/// One question to one server waits no longer than this.
const LONGEST_QUERY: Duration = Duration::from_secs(5);

/// Resolves a host by this machine's settings; an IP address needs no step and no server.
///
/// # Errors
/// [`DialError::Name`] where the name has no address, or nobody answered in time.
pub async fn resolve(
    host: &str,
    until: Instant,
    recorder: &Recorder,
) -> Result<Vec<IpAddr>, DialError> {
    let bare = host
        .strip_prefix('[')
        .and_then(|h| h.strip_suffix(']'))
        .unwrap_or(host);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Ok(vec![address]);
    }
    let began = recorder.now_us();
    let failed = |reason: String, servers: &str, is_authoritative| {
        let ended = recorder.now_us();
        recorder.push(
            step(host, began, ended, servers, format!("{host}: {reason}"))
                .status(StepStatus::Failed)
                .field("error", &reason),
        );
        DialError::Name {
            host: host.to_owned(),
            reason,
            is_authoritative,
        }
    };
    // Without a readable resolv.conf, /etc/hosts and localhost still lead somewhere.
    let (config, mut options) =
        read_system_conf().unwrap_or_else(|_| (ResolverConfig::default(), ResolverOpts::default()));
    options.timeout = until
        .saturating_duration_since(Instant::now())
        .min(LONGEST_QUERY);
    options.attempts = 2;
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    let servers = names_of(&config);
    let resolver = Resolver::builder_with_config(config, TokioRuntimeProvider::default())
        .with_options(options)
        .build()
        .map_err(|error| failed(error.to_string(), &servers, false))?;
    match timeout_at(until.into(), resolver.lookup_ip(host)).await {
        Ok(Ok(answer)) => {
            let addresses: Vec<IpAddr> = answer.iter().collect();
            let words = addresses
                .iter()
                .map(IpAddr::to_string)
                .collect::<Vec<_>>()
                .join(", ");
            let ended = recorder.now_us();
            recorder.push(
                step(host, began, ended, &servers, format!("{host} is {words}"))
                    .field("answers", &words),
            );
            Ok(addresses)
        }
        Ok(Err(error)) => {
            let no_such_name = error.is_no_records_found() || error.is_nx_domain();
            Err(failed(error.to_string(), &servers, no_such_name))
        }
        Err(_) => Err(failed("no answer in time".to_owned(), &servers, false)),
    }
}

fn step(host: &str, began: u64, ended: u64, servers: &str, summary: String) -> Step {
    Step::new(NAME, Layer::Dns, Direction::Local, ended, summary)
        .field("question", host)
        .field("resolver", servers)
        .field("took_us", ended.saturating_sub(began).to_string())
}

fn names_of(config: &ResolverConfig) -> String {
    let servers: Vec<String> = config
        .name_servers
        .iter()
        .map(|server| server.ip.to_string())
        .collect();
    format!(
        "{HOSTS_FILE}, then {}",
        if servers.is_empty() {
            "none".to_owned()
        } else {
            servers.join(", ")
        }
    )
}
