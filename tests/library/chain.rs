//! The picture of both directions of trust, in words, for a few scenarios.

use crate::support::scenario::Scenario;
use insta::{assert_snapshot, with_settings};
use ngf_core::{
    diagnosis::{chain::ChainPicture, plan::ProbeTarget},
    model::{index::Index, topology::Topology},
};

fn picture(name: &str) -> String {
    let scenario = Scenario::load(name);
    let index = Index::of(&scenario.snapshot);
    let topology = Topology::with(&scenario.snapshot, &index);
    let target = ProbeTarget::parse("httproute/secure-app", "default").expect("a target");
    let picture = ChainPicture::for_target(
        &scenario.snapshot,
        &index,
        &topology,
        &scenario.evidence,
        &target,
        scenario.now,
    );
    match picture {
        Ok(picture) => picture.describe().join("\n"),
        Err(error) => format!("error: {error}"),
    }
}

macro_rules! pictures {
    ($($test:ident: $name:literal,)*) => {
        $(#[test]
        fn $test() {
            with_settings!({filters => vec![(r"SHA-256 [0-9a-f:…]+", "SHA-256 …")]}, {
                assert_snapshot!($name, picture($name));
            });
        })*
    };
}

pictures! {
    what_is_not_probed_is_not_claimed: "guide",
    a_probe_that_went_well_verifies_both_directions: "b0-all-well",
    a_rotated_ca_is_told_by_its_key: "m4-rotated-ca",
    another_name_breaks_the_leaf: "t8-wrong-hostname",
    no_client_certificate_is_said_to_be_none: "g8-no-client-certificate",
    a_client_certificate_from_another_ca: "b2-other-ca",
    another_ca_in_the_backend: "b6-other-ca-in-the-backend",
    a_missing_ca_is_unknown: "p8-before-the-reload",
    an_invalid_policy_has_no_picture: "p6-ca-missing",
    only_an_intermediate_is_trusted: "t3-only-an-intermediate",
    files_are_enough: "g4-before-ngf-says-so",
    without_a_policy_there_is_no_tls: "g10-client-certificate-without-policy",
}
