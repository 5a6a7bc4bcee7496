//! A sound backend behind NGINX with a root, an intermediate and a leaf, to which faults are done.

use crate::mint::{Certificate, Issued, Key, Kind, bundle};
use crate::vector::{Backend, Expected, Gateway, Identity, ServerBlock, Vector};

/// The name that the policy asks for.
pub(crate) const NAME: &str = "app.ns.svc";

/// Everything that a fault can touch.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    pub(crate) root: Certificate,
    /// From the root's side.
    pub(crate) intermediates: Vec<Certificate>,
    pub(crate) leaf: Certificate,
    /// The leaf signs itself.
    pub(crate) leaf_self_signed: bool,
    pub(crate) sends_intermediates: bool,
    pub(crate) sends_root: bool,
    pub(crate) trust: Trust,
    /// In place of [`Scenario::trust`].
    pub(crate) bundler: Option<Bundler>,
    pub(crate) server_name: String,
    pub(crate) host: String,
    /// What the backend asks of its client.
    pub(crate) asks: ClientDemand,
    /// What the gateway holds.
    pub(crate) client: Client,
    /// Further directives of the backend, over those of [`Scenario::new`].
    pub(crate) directives: Vec<String>,
}

/// What the gateway trusts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    Root,
    /// A root that signed nothing here.
    Unrelated,
    /// A root of the same name with another key.
    Rekeyed,
    /// The re-keyed root before the right one.
    RekeyedAndRoot,
    RootAndRekeyed,
    RootTwice,
    /// Only the intermediate next to the root.
    Intermediate,
    RootAndIntermediates,
    Leaf,
}

/// Changes the bundle that the gateway gets: root, intermediates, leaf in; PEM out.
pub(crate) type Bundler = fn(chain: &[Issued], leaf: &Issued) -> Vec<u8>;

/// `ssl_verify_client` of the backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientDemand {
    Nothing,
    Required,
    Optional,
}

/// The gateway's client certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Client {
    None,
    Good,
    /// Of a CA that the backend does not trust.
    Stranger,
}

impl Scenario {
    /// Root, intermediate, leaf; the root trusted; no client certificate asked for.
    pub(crate) fn new() -> Self {
        Self {
            root: Certificate::ca("Root"),
            intermediates: vec![Certificate::ca("Intermediate")],
            leaf: Certificate::leaf(NAME),
            leaf_self_signed: false,
            sends_intermediates: true,
            sends_root: false,
            trust: Trust::Root,
            bundler: None,
            server_name: NAME.to_owned(),
            host: "app.example.com".to_owned(),
            asks: ClientDemand::Nothing,
            client: Client::None,
            directives: Vec::new(),
        }
    }

    /// As the guide has it: the leaf right below the root.
    pub(crate) fn flat() -> Self {
        Self {
            intermediates: Vec::new(),
            ..Self::new()
        }
    }

    /// Flat, with something changed.
    pub(crate) fn with(change: impl FnOnce(&mut Self)) -> Self {
        let mut scenario = Self::flat();
        change(&mut scenario);
        scenario
    }

    /// With an intermediate, and something changed.
    pub(crate) fn deep(change: impl FnOnce(&mut Self)) -> Self {
        let mut scenario = Self::new();
        change(&mut scenario);
        scenario
    }

    /// The intermediate next to the leaf's issuer's root.
    pub(crate) fn intermediate(&mut self) -> &mut Certificate {
        &mut self.intermediates[0]
    }

    pub(crate) fn directive(&mut self, directive: &str) {
        self.directives.push(directive.to_owned());
    }

    /// Mints it all.
    pub(crate) fn vector(&self, name: &str, expected: Option<Expected>) -> Vector {
        let root = self.root.self_signed();
        let mut chain = vec![root.clone()];
        for intermediate in &self.intermediates {
            chain.push(intermediate.issued_by(&chain[chain.len() - 1]));
        }
        let leaf = if self.leaf_self_signed {
            self.leaf.self_signed()
        } else {
            self.leaf.issued_by(&chain[chain.len() - 1])
        };
        let mut sent = vec![&leaf];
        if self.sends_intermediates {
            sent.extend(chain[1..].iter().rev());
        }
        if self.sends_root {
            sent.push(&root);
        }
        let trusted = match self.bundler {
            Some(bundler) => bundler(&chain, &leaf),
            None => self.trusted(&chain, &leaf),
        };
        let mut gateway = Gateway::new(&self.server_name, trusted);
        gateway.host.clone_from(&self.host);
        if let Some(tls) = &mut gateway.tls {
            tls.identity = self.client_identity(&chain);
        }
        let server = ServerBlock {
            server_name: String::new(),
            identity: Some(Identity::new(&sent)),
            client_ca: (self.asks != ClientDemand::Nothing).then(|| client_ca().pem()),
            directives: self.backend_directives(),
        };
        Vector::new(name, Backend::Nginx(vec![server]), gateway, expected)
    }

    /// The backend must not be stricter than its clients: what OpenSSL would not load by default is
    /// loaded all the same, unless the vector itself sets ciphers.
    fn backend_directives(&self) -> Vec<String> {
        let mut directives = self.directives.clone();
        let sets = |what: &str| {
            directives
                .iter()
                .any(|directive| directive.starts_with(what))
        };
        let (ciphers, protocols) = (sets("ssl_ciphers "), sets("ssl_protocols "));
        if !ciphers {
            directives.push("ssl_ciphers DEFAULT:@SECLEVEL=0".to_owned());
        }
        if !protocols {
            directives.push("ssl_protocols TLSv1.2 TLSv1.3".to_owned());
        }
        match self.asks {
            ClientDemand::Nothing => {}
            ClientDemand::Required => directives.push("ssl_verify_client on".to_owned()),
            ClientDemand::Optional => directives.push("ssl_verify_client optional".to_owned()),
        }
        directives
    }

    fn trusted(&self, chain: &[Issued], leaf: &Issued) -> Vec<u8> {
        let root = &chain[0];
        match self.trust {
            Trust::Root => root.pem(),
            Trust::Unrelated => Certificate::ca("Unrelated Root").self_signed().pem(),
            Trust::Rekeyed => self.rekeyed_root().pem(),
            Trust::RekeyedAndRoot => bundle(&[&self.rekeyed_root(), root]),
            Trust::RootAndRekeyed => bundle(&[root, &self.rekeyed_root()]),
            Trust::RootTwice => bundle(&[root, root]),
            Trust::Intermediate => chain[1].pem(),
            Trust::RootAndIntermediates => chain.iter().flat_map(Issued::pem).collect(),
            Trust::Leaf => leaf.pem(),
        }
    }

    fn rekeyed_root(&self) -> Issued {
        let key = Key::new(Kind::P256, "re-keyed root");
        Certificate {
            key,
            ..self.root.clone()
        }
        .self_signed()
    }

    fn client_identity(&self, chain: &[Issued]) -> Option<Identity> {
        let certificate = Certificate::leaf("gateway");
        match self.client {
            Client::None => None,
            Client::Good => Some(Identity::new(&[&certificate.issued_by(&client_ca())])),
            Client::Stranger => Some(Identity::new(&[&certificate.issued_by(&chain[0])])),
        }
    }
}

/// The CA that backends trust for clients.
pub(crate) fn client_ca() -> Issued {
    Certificate::ca("Client CA").self_signed()
}
