//! `auth-provider: oidc` of a kubeconfig: kubectl's old way to log in. kube renews the token by the refresh token;
//! here is decided whether it can.

use std::{collections::HashMap, hash::BuildHasher};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde::Deserialize;

/// A token that has ended, for a kubeconfig that holds only a refresh token: kube renews it at once.
const ENDED: &str = "e30.eyJleHAiOjB9.";
/// Fields of the provider.
const ID_TOKEN: &str = "id-token";
const SECRET: &str = "client-secret";

/// Whether the token can be renewed: the provider names itself, a client and a refresh token, its certificate
/// is checked by the system's CAs, and the token that it has is one that ends (a JWT). Completes what kube
/// asks for and kubectl does not.
pub(super) fn can_renew<S: BuildHasher>(config: &mut HashMap<String, String, S>) -> bool {
    let has = |name: &str| {
        config
            .get(name)
            .is_some_and(|value| !value.trim().is_empty())
    };
    let names = ["idp-issuer-url", "client-id", "refresh-token"];
    let own_ca = [
        "idp-certificate-authority",
        "idp-certificate-authority-data",
    ];
    let is_https = config
        .get("idp-issuer-url")
        .is_some_and(|url| url.starts_with("https://"));
    if !names.iter().all(|name| has(name)) || own_ca.iter().any(|name| has(name)) || !is_https {
        return false;
    }
    let token = config.get(ID_TOKEN).map_or("", |token| token.trim());
    let token = if token.is_empty() { ENDED } else { token }.to_owned();
    if !is_jwt(&token) {
        return false;
    }
    config.insert(ID_TOKEN.to_owned(), token);
    // A public client has none.
    config.entry(SECRET.to_owned()).or_default();
    true
}

/// Whether it is a JSON Web Token with an end, of characters that a header may hold.
fn is_jwt(token: &str) -> bool {
    #[derive(Deserialize)]
    struct Claims {
        #[allow(dead_code)] // that it is there is what matters
        exp: serde_json::Number,
    }
    let Some(part) = token.split('.').nth(1) else {
        return false;
    };
    let part = part.trim_end_matches('=');
    let decoded = URL_SAFE_NO_PAD
        .decode(part)
        .or_else(|_| STANDARD.decode(part));
    decoded.is_ok_and(|bytes| serde_json::from_slice::<Claims>(&bytes).is_ok())
        && token.bytes().all(|b| b.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(fields: &[(&str, &str)]) -> HashMap<String, String> {
        let whole = [
            ("idp-issuer-url", "https://id.example.com"),
            ("client-id", "kubernetes"),
            ("refresh-token", "r"),
            (ID_TOKEN, ENDED),
        ];
        let all = whole.iter().chain(fields);
        all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn a_token_is_renewed_where_the_provider_says_how() {
        for (fields, expected) in [
            (&[][..], true),
            (&[(SECRET, "s")], true),
            (&[(ID_TOKEN, "")], true),
            (&[(ID_TOKEN, "opaque")], false),
            (&[(ID_TOKEN, "a.b.c")], false),
            (&[("refresh-token", "")], false),
            (&[("client-id", " ")], false),
            (&[("idp-issuer-url", "http://id.example.com")], false),
            (&[("idp-certificate-authority", "/ca.crt")], false),
        ] {
            let mut config = config(fields);
            assert_eq!(can_renew(&mut config), expected, "{fields:?}");
            if expected {
                assert!(config.contains_key(SECRET), "kube asks for it");
                assert!(!config[ID_TOKEN].is_empty(), "kube asks for it");
            }
        }
    }
}
