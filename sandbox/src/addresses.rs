//! The addresses that pods and Services get.

use std::net::{Ipv4Addr, TcpListener};

use crate::metadata::random;

/// Networks that are tried before ports are shared on 127.0.0.1.
const NETWORK_TRIES: usize = 16;

/// Which addresses pods get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Network {
    /// 127.x.y.0/24, a network of this cluster's own: ports are as the containers say.
    Own(u8, u8),
    /// 127.0.0.1 for all, where the system gives out no other loopback addresses: servers take
    /// whatever ports are free.
    Shared,
}

impl Network {
    /// A network of loopback addresses that no other embedded cluster on this machine uses.
    pub(crate) fn own() -> Self {
        for _ in 0..NETWORK_TRIES {
            let [x, y] = random::<2>();
            // Three digits each, so that what is drawn of it is as wide in every run.
            let network = Self::Own(100 + x % 155, 100 + y % 155);
            // Every pod of the guide listens on this port.
            if TcpListener::bind((network.address(10), 8443)).is_ok() {
                return network;
            }
        }
        Self::Shared
    }

    /// The address of the `number`th pod.
    pub(crate) fn address(self, number: u8) -> Ipv4Addr {
        match self {
            Self::Own(x, y) => Ipv4Addr::new(127, x, y, number),
            Self::Shared => Ipv4Addr::LOCALHOST,
        }
    }
}
