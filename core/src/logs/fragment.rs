//! Parts of a line of nginx's error log, as people copy them: the message without the time before it, or OpenSSL's words
//! alone.

use ngf_text::sanitize;

use super::{
    bounded,
    line::{About, Decoded, Level, Meaning, Phase, Writer},
    nginx,
};

/// What nginx adds to a message of the handshake with a backend.
const HANDSHAKING: &str = " while SSL handshaking to upstream";

/// Decodes a part of a line; `None` where it means nothing by itself.
pub fn fragment(text: &str) -> Option<Decoded> {
    let text = bounded(text.trim(), super::LONGEST);
    let message = without_head(text);
    let message = message.split(", client: ").next().unwrap_or(message);
    let what = nginx::what(Level::Error, message)
        .or_else(|| nginx::what(Level::Error, &format!("{message}{HANDSHAKING}")))
        .or_else(|| alert(message))
        .or_else(|| verdict(message))?;
    Some(said(what, message))
}

fn said(what: Meaning, text: &str) -> Decoded {
    Decoded {
        at: None,
        writer: Writer::Nginx,
        level: Level::Error,
        pid: None,
        connection: None,
        what,
        text: sanitize::line(text, nginx::TEXT),
        request: About::default(),
    }
}

/// What a number or a name of a standard means: `21` and `X509_V_ERR_CERT_HAS_EXPIRED` of OpenSSL's verify codes, `alert
/// 48` and `unknown_ca` of TLS alerts. A bare number can be both.
pub fn by_name(text: &str) -> Vec<Decoded> {
    let text = bounded(text.trim(), super::LONGEST);
    let lower = text.to_ascii_lowercase();
    let (of, last) = match lower.rsplit_once([' ', '=', ':']) {
        Some((of, last)) => (of.trim_end_matches([' ', '=', ':']), last),
        None => ("", lower.as_str()),
    };
    let is_alert = matches!(of, "alert" | "tls alert" | "ssl alert" | "alert number");
    let is_verify = matches!(
        of,
        "code" | "error" | "verify code" | "verify error" | "verify return code" | "openssl"
    );
    if !of.is_empty() && !is_alert && !is_verify {
        return Vec::new();
    }
    let mut all = Vec::new();
    if !is_alert && let Some(number) = last.parse().ok().or_else(|| verify_code(last)) {
        all.extend(of_code(number).map(|what| said(what, text)));
    }
    if !is_verify && let Some(number) = last.parse().ok().or_else(|| alert_number(last)) {
        all.extend(of_alert(number).map(|what| said(what, text)));
    }
    all
}

/// The verify code of this number, if OpenSSL has words for it.
fn of_code(code: i32) -> Option<Meaning> {
    let words = ngf_tls::chain::words(code);
    let is_known = (1..=100).contains(&code) && words != ngf_tls::chain::words(UNKNOWN);
    is_known.then(|| Meaning::VerifyError {
        code,
        words: words.to_owned(),
    })
}

/// A number that is no verify code.
const UNKNOWN: i32 = 9_999;

/// `cert_has_expired`, as OpenSSL (with `X509_V_ERR_`) and Node.js name verify codes (`x509_vfy.h`).
fn verify_code(name: &str) -> Option<i32> {
    const NAMES: &[(&str, i32)] = &[
        ("unable_to_get_issuer_cert", 2),
        ("unable_to_get_crl", 3),
        ("cert_signature_failure", 7),
        ("cert_not_yet_valid", 9),
        ("cert_has_expired", 10),
        ("crl_has_expired", 12),
        ("depth_zero_self_signed_cert", 18),
        ("self_signed_cert_in_chain", 19),
        ("unable_to_get_issuer_cert_locally", 20),
        ("unable_to_verify_leaf_signature", 21),
        ("cert_chain_too_long", 22),
        ("cert_revoked", 23),
        ("path_length_exceeded", 25),
        ("invalid_purpose", 26),
        ("cert_untrusted", 27),
        ("cert_rejected", 28),
        ("hostname_mismatch", 62),
        ("ip_address_mismatch", 64),
        ("ee_key_too_small", 66),
        ("ca_key_too_small", 67),
        ("ca_md_too_weak", 68),
        ("invalid_ca", 79),
    ];
    let bare = name.trim_start_matches("x509_v_err_");
    let found = NAMES.iter().find(|(known, _)| *known == bare);
    found.map(|(_, code)| *code)
}

/// `unknown_ca`, as the TLS RFCs name alerts.
fn alert_number(name: &str) -> Option<u8> {
    (1..=120).find(|number| ngf_tls::messages::names::alert(*number) == name)
}

/// Without `[error] 30#30: *7 `, or the end of it.
fn without_head(text: &str) -> &str {
    let mut rest = text;
    if let Some((level, after)) = rest
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("] "))
        && Level::parse(level).is_some()
    {
        rest = after;
    }
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if let Some((process, after)) = rest.split_once(": ")
        && let Some((pid, thread)) = process.split_once('#')
        && is_number(pid)
        && is_number(thread)
    {
        rest = after;
    }
    match rest.strip_prefix('*').and_then(|rest| rest.split_once(' ')) {
        Some((number, after)) if is_number(number) => after,
        _ => rest,
    }
}

/// `SSL alert number 116`, whatever stands before it.
fn alert(text: &str) -> Option<Meaning> {
    let (_, number) = text.rsplit_once("SSL alert number ")?;
    let number: u8 = number.trim_end_matches([')', '.']).parse().ok()?;
    Some(sent(number))
}

/// The alert of this number, if TLS has one.
fn of_alert(number: u8) -> Option<Meaning> {
    let is_known = number > 0 && !ngf_tls::messages::names::alert(number).starts_with("alert ");
    is_known.then(|| sent(number))
}

fn sent(number: u8) -> Meaning {
    Meaning::Alert {
        number,
        name: ngf_tls::messages::names::alert(number),
        phase: match number {
            // Servers of TLS 1.3 alone send it, when the client takes the handshake for done.
            116 => Phase::ReadingHeader,
            _ => Phase::Handshaking,
        },
    }
}

/// `(20:unable to get local issuer certificate)`, or these words alone, as OpenSSL has them.
fn verdict(text: &str) -> Option<Meaning> {
    let bare = text.trim_start_matches('(').trim_end_matches(')');
    // As `openssl s_client` has it.
    let bare = bare.strip_prefix("verify error:num=").unwrap_or(bare);
    if let Some(rest) = bare.strip_prefix("Verify return code: ") {
        let (number, words) = rest.split_once(" (")?;
        return verdict(&format!("{number}:{words}"));
    }
    let (number, words) = match bare.split_once(':') {
        Some((number, words)) => (number.parse::<i32>().ok()?, words),
        None => {
            // OpenSSL 1.1 wrote it in two words.
            let words = bare.replace("self signed", "self-signed");
            let code = (1..=100).find(|code| ngf_tls::chain::words(*code) == words)?;
            (code, bare)
        }
    };
    let is_known = ngf_tls::chain::words(number) == words.replace("self signed", "self-signed");
    is_known.then(|| Meaning::VerifyError {
        code: number,
        words: sanitize::line(words, 120),
    })
}

#[cfg(test)]
mod tests {
    use super::{by_name, fragment};
    use crate::logs::Meaning;

    #[test]
    fn numbers_and_names_of_the_standards_are_known() {
        let codes = |text: &str| -> Vec<String> {
            let all = by_name(text).into_iter().map(|decoded| decoded.what);
            all.map(|what| match what {
                Meaning::VerifyError { code, .. } => format!("code {code}"),
                Meaning::Alert { number, .. } => format!("alert {number}"),
                other => format!("{other:?}"),
            })
            .collect()
        };
        for (text, expected) in [
            ("21", &["code 21", "alert 21"][..]),
            ("19", &["code 19"]),
            ("verify code 21", &["code 21"]),
            ("code: 10", &["code 10"]),
            ("alert 48", &["alert 48"]),
            ("SSL alert number 116", &[]),
            ("X509_V_ERR_CERT_HAS_EXPIRED", &["code 10"]),
            ("UNABLE_TO_VERIFY_LEAF_SIGNATURE", &["code 21"]),
            ("unknown_ca", &["alert 48"]),
            ("certificate_required", &["alert 116"]),
            ("0", &[]),
            ("502", &[]),
            ("-1", &[]),
            ("99999999999", &[]),
            ("", &[]),
            ("alert", &[]),
            ("chapter 21", &[]),
        ] {
            assert_eq!(codes(text), expected, "{text}");
        }
    }

    #[test]
    fn a_part_of_a_line_means_what_the_line_means() {
        for (text, code) in [
            (
                "upstream SSL certificate verify error: (20:unable to get local issuer certificate)",
                20,
            ),
            (
                "[error] 30#30: *7 upstream SSL certificate verify error: (20:unable to get local issuer certificate) while SSL handshaking to upstream, client: 10.0.0.1",
                20,
            ),
            (
                "*7 upstream SSL certificate verify error: (20:unable to get local issuer certificate)",
                20,
            ),
            ("(20:unable to get local issuer certificate)", 20),
            (
                "verify error:num=20:unable to get local issuer certificate",
                20,
            ),
            (
                "Verify return code: 21 (unable to verify the first certificate)",
                21,
            ),
            ("unable to verify the first certificate", 21),
            ("self signed certificate in certificate chain", 19),
            ("self-signed certificate in certificate chain", 19),
        ] {
            let what = fragment(text).map(|decoded| decoded.what);
            assert!(
                matches!(what, Some(Meaning::VerifyError { code: found, .. }) if found == code),
                "{text}: {what:?}"
            );
        }
        for (text, number) in [
            ("SSL alert number 116", 116),
            (
                "tlsv13 alert certificate required:SSL alert number 116",
                116,
            ),
            (
                "(SSL: error:0A000418:SSL routines::tlsv1 alert unknown ca:SSL alert number 48)",
                48,
            ),
        ] {
            let what = fragment(text).map(|decoded| decoded.what);
            assert!(
                matches!(what, Some(Meaning::Alert { number: found, .. }) if found == number),
                "{text}: {what:?}"
            );
        }
        assert!(matches!(
            fragment("peer closed connection in SSL handshake").map(|decoded| decoded.what),
            Some(Meaning::Closed { .. })
        ));
        for text in [
            "",
            "ok",
            "certificate",
            "[error] ",
            "(20:something else)",
            "SSL alert number x",
        ] {
            assert!(fragment(text).is_none(), "{text}");
        }
    }
}
