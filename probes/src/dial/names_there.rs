//! What a name means elsewhere: by another machine's `resolv.conf` and `hosts`, asking its name servers
//! over a [`Dial`], by TCP (RFC 7766), since relays carry streams only.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::Resolver;
use hickory_resolver::config::{
    LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::iocompat::AsyncIoTokioAsStd;
use hickory_resolver::net::runtime::{
    RuntimeProvider, TokioHandle, TokioRuntimeProvider, TokioTime,
};
use hickory_resolver::proto::rr::Name;
use tokio::io::{DuplexStream, copy_bidirectional, duplex};
use tokio::time::timeout;

use crate::dial::{Dial, DialError, Target};
use crate::recorder::Recorder;
use ngf_text::sanitize;

/// glibc and musl look at the first three.
const MOST_SERVERS: usize = 3;
/// glibc's bound on the search list since 2.26 is memory's; Kubernetes allows 32.
const MOST_SEARCHED: usize = 32;
/// Bytes on their way between the resolver and the relay.
const BUFFER: usize = 64 << 10;

/// How a machine resolves names: what of its `resolv.conf` and `hosts` matters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// `nameserver`.
    pub servers: Vec<IpAddr>,
    /// `search`, or `domain`.
    pub search: Vec<String>,
    /// `options ndots:N`; a name with fewer dots is searched first.
    pub ndots: usize,
    /// Lines of `hosts`.
    pub hosts: Vec<(IpAddr, Vec<String>)>,
}

impl Settings {
    /// Reads both files; lines that make no sense are passed over, as resolvers do.
    pub fn parse(resolv_conf: &str, hosts: &str) -> Self {
        let mut settings = Self {
            ndots: 1,
            ..Self::default()
        };
        for line in resolv_conf.lines() {
            let line = line.split(['#', ';']).next().unwrap_or_default();
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") => {
                    let server: Option<IpAddr> = words.next().and_then(|word| word.parse().ok());
                    settings.servers.extend(server);
                }
                // The last one counts.
                Some("search" | "domain") => {
                    let names = words.map(|word| sanitize::line(word, 253));
                    settings.search = names.take(MOST_SEARCHED).collect();
                }
                Some("options") => {
                    let mut ndots =
                        words.filter_map(|word| word.strip_prefix("ndots:")?.parse().ok());
                    settings.ndots = ndots.next_back().unwrap_or(settings.ndots).min(15);
                }
                _ => {}
            }
        }
        settings.servers.truncate(MOST_SERVERS);
        for line in hosts.lines() {
            let mut words = line
                .split('#')
                .next()
                .unwrap_or_default()
                .split_whitespace();
            if let Some(address) = words.next().and_then(|word| word.parse().ok()) {
                let names = words.map(|word| sanitize::line(word, 253)).collect();
                settings.hosts.push((address, names));
            }
        }
        settings
    }

    fn of_hosts(&self, name: &str) -> Vec<IpAddr> {
        let bare = name.trim_end_matches('.');
        let is_it = |known: &String| known.eq_ignore_ascii_case(bare);
        self.hosts
            .iter()
            .filter(|(_, names)| names.iter().any(is_it))
            .map(|(address, _)| *address)
            .collect()
    }
}

/// Resolves a name by these settings, through this dial.
///
/// # Errors
/// A sentence: there is no such name, or nobody answered in time.
pub async fn resolve(
    name: &str,
    settings: &Settings,
    dial: Arc<dyn Dial>,
    within: Duration,
) -> Result<Vec<IpAddr>, String> {
    let known = settings.of_hosts(name);
    if !known.is_empty() {
        return Ok(known);
    }
    if settings.servers.is_empty() {
        return Err("its resolv.conf names no server".to_owned());
    }
    let search = settings
        .search
        .iter()
        .filter_map(|name| Name::from_str(name).ok())
        .collect();
    let servers = settings.servers.iter().copied();
    let servers = servers.map(NameServerConfig::tcp).collect();
    let config = ResolverConfig::from_parts(None, search, servers);
    let mut options = ResolverOpts::default();
    options.ndots = settings.ndots;
    options.timeout = within;
    options.attempts = 1;
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.use_hosts_file = ResolveHosts::Never;
    let through = Through {
        dial,
        within,
        handle: TokioHandle::default(),
    };
    let resolver = Resolver::builder_with_config(config, through)
        .with_options(options)
        .build()
        .map_err(|error| error.to_string())?;
    match timeout(within, resolver.lookup_ip(name)).await {
        Ok(Ok(answer)) => Ok(answer.iter().collect()),
        Ok(Err(error)) if error.is_nx_domain() => Err("there is no such name".to_owned()),
        Ok(Err(error)) if error.is_no_records_found() => Err("the name has no address".to_owned()),
        Ok(Err(error)) => Err(sanitize::line(&error.to_string(), 200)),
        Err(_) => Err("no answer in time".to_owned()),
    }
}

/// Connects through a dial.
#[derive(Clone)]
struct Through {
    dial: Arc<dyn Dial>,
    within: Duration,
    /// What it runs ends with the last clone of it.
    handle: TokioHandle,
}

impl RuntimeProvider for Through {
    type Handle = TokioHandle;
    type Timer = TokioTime;
    type Udp = <TokioRuntimeProvider as RuntimeProvider>::Udp;
    type Tcp = AsyncIoTokioAsStd<DuplexStream>;

    fn create_handle(&self) -> Self::Handle {
        self.handle.clone()
    }

    fn connect_tcp(
        &self,
        server: SocketAddr,
        _: Option<SocketAddr>,
        within: Option<Duration>,
    ) -> Pin<Box<dyn Send + Future<Output = io::Result<Self::Tcp>>>> {
        let dial = Arc::clone(&self.dial);
        let target = Target {
            host: server.ip().to_string(),
            port: server.port(),
            timeout: within.unwrap_or(self.within),
        };
        Box::pin(async move {
            let dialled = dial.dial(&target, &Recorder::new()).await;
            let mut far = dialled.map_err(|error| match error {
                DialError::Connect { source, .. } => source,
                other => io::Error::other(other.to_string()),
            })?;
            // The resolver's streams must be shareable between threads, and a relay's is not.
            let (near, mut between) = duplex(BUFFER);
            tokio::spawn(async move {
                // The resolver sees its end of it.
                let _ = copy_bidirectional(&mut between, &mut far.stream).await;
            });
            Ok(AsyncIoTokioAsStd(near))
        })
    }

    fn bind_udp(
        &self,
        _: SocketAddr,
        _: SocketAddr,
    ) -> Pin<Box<dyn Send + Future<Output = io::Result<Self::Udp>>>> {
        Box::pin(async { Err(io::Error::other("a relay carries no UDP")) })
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::dial::Dialled;
    use futures::FutureExt as _;
    use futures::future::BoxFuture;

    const RESOLV_CONF: &str = "\
# written by the kubelet
search shop.svc.cluster.local svc.cluster.local cluster.local
nameserver 10.96.0.10
nameserver nonsense
options ndots:5 timeout:2
";
    const HOSTS: &str = "127.0.0.1 localhost\n10.0.0.9 db db.example.com # alias\n";

    #[test]
    fn settings_are_read_as_resolvers_read_them() {
        let settings = Settings::parse(RESOLV_CONF, HOSTS);
        assert_eq!(settings.servers, [IpAddr::from([10, 96, 0, 10])]);
        assert_eq!(settings.search.len(), 3);
        assert_eq!(settings.ndots, 5);
        assert_eq!(
            settings.of_hosts("DB.example.com."),
            [IpAddr::from([10, 0, 0, 9])]
        );
        assert_eq!(Settings::parse("", "").ndots, 1);
    }

    /// Leads to one port of this machine, whatever is asked for.
    struct To(u16);

    impl Dial for To {
        fn via(&self) -> &'static str {
            "test"
        }

        fn dial<'a>(
            &'a self,
            target: &'a Target,
            _: &'a Recorder,
        ) -> BoxFuture<'a, Result<Dialled, DialError>> {
            async move {
                assert_eq!((target.host.as_str(), target.port), ("10.96.0.10", 53));
                let stream = tokio::net::TcpStream::connect(("127.0.0.1", self.0))
                    .await
                    .expect("it listens");
                Ok(Dialled {
                    stream: Box::new(stream),
                    address: None,
                    fault: crate::dial::Fault::default(),
                })
            }
            .boxed()
        }
    }

    /// A name server that knows one name (RFC 1035 §4): answers A with 10.0.0.7, AAAA with nothing, and
    /// any other name with NXDOMAIN.
    async fn server(known: &'static str) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    while let Ok(length) = stream.read_u16().await {
                        let mut query = vec![0; usize::from(length)];
                        stream.read_exact(&mut query).await.expect("a query");
                        let answer = answer(&query, known);
                        stream.write_u16(answer.len() as u16).await.expect("taken");
                        stream.write_all(&answer).await.expect("taken");
                    }
                });
            }
        });
        port
    }

    fn answer(query: &[u8], known: &str) -> Vec<u8> {
        let mut at = 12;
        let mut name = String::new();
        while query[at] != 0 {
            let length = usize::from(query[at]);
            name.push_str(&String::from_utf8_lossy(&query[at + 1..=at + length]));
            name.push('.');
            at += length + 1;
        }
        let question = &query[12..at + 5];
        let is_known = name.eq_ignore_ascii_case(known);
        let is_a = query[at + 2] == 1;
        let has_answer = is_known && is_a;
        let mut answer = query[..2].to_vec();
        answer.extend([0x85, if is_known { 0x80 } else { 0x83 }]);
        answer.extend([0, 1, 0, u8::from(has_answer), 0, 0, 0, 0]);
        answer.extend(question);
        if has_answer {
            answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4, 10, 0, 0, 7]);
        }
        answer
    }

    async fn resolved(name: &str) -> Result<Vec<IpAddr>, String> {
        let port = server("app.shop.svc.cluster.local.").await;
        let settings = Settings::parse(RESOLV_CONF, HOSTS);
        resolve(name, &settings, Arc::new(To(port)), Duration::from_secs(5)).await
    }

    #[tokio::test]
    async fn names_are_searched_as_there_and_asked_over_the_dial() {
        let app = Ok(vec![IpAddr::from([10, 0, 0, 7])]);
        assert_eq!(resolved("app").await, app);
        assert_eq!(resolved("app.shop.svc").await, app);
        assert_eq!(resolved("db").await, Ok(vec![IpAddr::from([10, 0, 0, 9])]));
        assert_eq!(
            resolved("nobody").await,
            Err("there is no such name".to_owned())
        );
    }
}
