//! Bytes that nobody thought of: nothing panics, everything is bounded, and what is shown holds no
//! control character.

use crate::support::pki::Template;
use ngf_probes::steps::http::head::{LONGEST_HEAD, Reading, read};
use ngf_text::sanitize;
use ngf_tls::certificate::CertificateFacts;
use ngf_tls::go::{oddity, refuses_ca, refuses_pair};
use ngf_tls::messages::{Decoder, Message};
use ngf_tls::pem::{key_facts, read_bundle};
use proptest::prelude::*;

fn is_fit_to_show(text: &str) -> bool {
    !text
        .chars()
        .any(|c| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{200b}'))
}

fn check(message: &Message) {
    assert!(
        is_fit_to_show(&message.name) && is_fit_to_show(&message.summary),
        "{message:?}"
    );
    assert!(message.fields.len() <= 4_000);
    for field in &message.fields {
        assert!(
            is_fit_to_show(&field.name) && is_fit_to_show(&field.value),
            "{field:?}"
        );
        assert!(field.value.chars().count() <= 4_000);
    }
}

fn handshake(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u32).to_be_bytes();
    [&[kind], &length[1..], body].concat()
}

/// A ServerHello of TLS 1.3, so that what follows is read in that shape.
fn hello_of_tls13() -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.extend([0, 0x13, 1, 0, 0, 6, 0, 43, 0, 2, 3, 4]);
    handshake(2, &body)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_record_is_decoded(kind: u8, bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        check(&Decoder::default().decode(kind, &bytes));
    }

    #[test]
    fn any_body_of_any_message_is_decoded(
        kind in prop::sample::select(vec![0, 1, 2, 4, 5, 8, 11, 12, 13, 14, 15, 16, 20, 22, 24, 25]),
        is_tls13: bool,
        body in prop::collection::vec(any::<u8>(), 0..600),
    ) {
        let mut decoder = Decoder::default();
        if is_tls13 {
            decoder.decode(22, &hello_of_tls13());
        }
        check(&decoder.decode(22, &handshake(kind, &body)));
    }

    #[test]
    fn a_message_with_one_byte_changed_is_decoded(at in 0_usize..2_000, value: u8) {
        let der = Template::server("a.example").self_signed().der();
        let mut list = (der.len() as u32).to_be_bytes()[1..].to_vec();
        list.extend(&der);
        let mut body = (list.len() as u32).to_be_bytes()[1..].to_vec();
        body.extend(list);
        let mut message = handshake(11, &body);
        let at = at % message.len();
        message[at] = value;
        check(&Decoder::default().decode(22, &message));
    }

    #[test]
    fn any_bytes_are_a_certificate_or_not(
        bytes in prop::collection::vec(any::<u8>(), 0..600),
        at in 0_usize..2_000,
        value: u8,
    ) {
        drop(CertificateFacts::from_der(&bytes));
        let mut der = Template::server("a.example").self_signed().der();
        let at = at % der.len();
        der[at] = value;
        if let Ok(facts) = CertificateFacts::from_der(&der) {
            prop_assert!(is_fit_to_show(&facts.subject) && is_fit_to_show(&facts.issuer));
            prop_assert!(facts.dns_names.iter().all(|name| is_fit_to_show(name)));
        }
    }

    #[test]
    fn any_text_is_a_bundle_or_an_error_in_words(
        parts in prop::collection::vec(
            prop::sample::select(vec![
                "-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n",
                "-----BEGIN PRIVATE KEY-----\n", "-----END PRIVATE KEY-----\n",
                "-----BEGIN ", "-----", "MIIB\n", "=\n", "\u{1b}[31m", "\n", "Proc-Type: 4,ENCRYPTED\n",
            ]),
            0..12,
        ),
    ) {
        let text = parts.concat();
        if let Err(error) = read_bundle(text.as_bytes()) {
            prop_assert!(is_fit_to_show(&error.to_string()), "{error}");
        }
        drop(key_facts(text.as_bytes()));
        for words in [refuses_ca(text.as_bytes()), refuses_pair(text.as_bytes(), text.as_bytes())] {
            prop_assert!(words.is_none_or(|words| is_fit_to_show(&words)));
        }
        prop_assert!(oddity(text.as_bytes()).is_none_or(is_fit_to_show));
    }

    #[test]
    fn any_bytes_are_a_head_or_not_and_are_judged_alike_however_they_are_cut(
        parts in prop::collection::vec(
            prop::sample::select(vec![
                "HTTP/1.1 ", "HTTP/", "200", " OK", "\r\n", "\n", "\r", "A: b", ":", " ", "\0", "103",
                "Content-Length: 3", "Transfer-Encoding: chunked", "/", "HTTP/1.0 204 x",
            ]),
            0..14,
        ),
    ) {
        let bytes = parts.concat().into_bytes();
        let whole = read(&bytes, false);
        for cut in 0..bytes.len() {
            let early = read(&bytes[..cut], false);
            prop_assert!(early == Reading::More || early == whole, "{early:?} then {whole:?}");
        }
        if let Reading::Head(head) = whole {
            prop_assert!(head.length <= bytes.len() && bytes.len() < LONGEST_HEAD);
        }
    }

    #[test]
    fn what_is_sanitised_is_bounded_and_fit_to_show(text: String, bound in 0_usize..50) {
        let line = sanitize::line(&text, bound);
        prop_assert!(line.chars().count() <= bound && is_fit_to_show(&line));
        let bytes = sanitize::bytes(text.as_bytes(), bound);
        prop_assert!(bytes.chars().count() <= bound && is_fit_to_show(&bytes));
    }
}
