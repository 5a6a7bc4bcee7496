//! `--via`.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use ngf_cluster::transport::Via;

/// Parses the name of a way.
pub(super) fn via() -> impl TypedValueParser<Value = Via> {
    let named = Via::ALL.map(|via| PossibleValue::new(via.name()).help(help(via)));
    PossibleValuesParser::new(named).try_map(|name| name.parse::<Via>())
}

fn help(via: Via) -> &'static str {
    match via {
        Via::Auto => {
            "The most faithful way that you may go and that writes nothing: exec, port-forward, direct"
        }
        Via::Direct => "From this machine",
        Via::PortForward => {
            "To the backend's pod through the API server: proves the TLS, not the network path"
        }
        Via::Exec => "From nginx's own container, by nc or bash: the way that nginx goes",
        Via::Ephemeral => {
            "From a container that is added to the data-plane pod, for good (needs --yes)"
        }
        Via::Pod => "From a debug pod beside the data plane, removed afterwards (needs --yes)",
    }
}
