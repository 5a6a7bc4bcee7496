//! `--via`.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use ngf_cluster::transport::Via;

/// Parses the name of a transport.
pub(super) fn via() -> impl TypedValueParser<Value = Via> {
    let named = Via::ALL.map(|via| PossibleValue::new(via.name()).help(help(via)));
    PossibleValuesParser::new(named).try_map(|name| name.parse::<Via>())
}

fn help(via: Via) -> &'static str {
    match via {
        Via::Auto => {
            "The first that your rights allow of exec, port-forward and direct; writes nothing"
        }
        Via::Direct => "From this machine",
        Via::PortForward => {
            "Through the API server to the backend's pod: tests TLS, not the network path"
        }
        Via::Exec => {
            "From nginx's own container, with nc or bash: the network path that nginx uses"
        }
        Via::Ephemeral => {
            "From an ephemeral container in the data-plane pod, which stays there (needs --yes)"
        }
        Via::Pod => "From a debug pod on the data plane's node, removed afterwards (needs --yes)",
    }
}
