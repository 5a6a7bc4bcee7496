//! Parts of a line of nginx's error log, as people copy them: the message without the time before it, or OpenSSL's words
//! alone.

use ngf_text::sanitize;

use super::{
    bounded,
    line::{About, Decoded, Level, Phase, What, Writer},
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
    Some(Decoded {
        at: None,
        writer: Writer::Nginx,
        level: Level::Error,
        pid: None,
        connection: None,
        what,
        text: sanitize::line(message, nginx::TEXT),
        request: About::default(),
    })
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
fn alert(text: &str) -> Option<What> {
    let (_, number) = text.rsplit_once("SSL alert number ")?;
    let number: u8 = number.trim_end_matches([')', '.']).parse().ok()?;
    Some(What::Alert {
        number,
        name: ngf_tls::messages::names::alert(number),
        phase: match number {
            // Servers of TLS 1.3 alone send it, when the client takes the handshake for done.
            116 => Phase::ReadingHeader,
            _ => Phase::Handshaking,
        },
    })
}

/// `(20:unable to get local issuer certificate)`, or these words alone, as OpenSSL has them.
fn verdict(text: &str) -> Option<What> {
    let bare = text.trim_start_matches('(').trim_end_matches(')');
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
    is_known.then(|| What::VerifyError {
        code: number,
        words: sanitize::line(words, 120),
    })
}

#[cfg(test)]
mod tests {
    use super::fragment;
    use crate::logs::What;

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
            ("unable to verify the first certificate", 21),
            ("self signed certificate in certificate chain", 19),
            ("self-signed certificate in certificate chain", 19),
        ] {
            let what = fragment(text).map(|decoded| decoded.what);
            assert!(
                matches!(what, Some(What::VerifyError { code: found, .. }) if found == code),
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
                matches!(what, Some(What::Alert { number: found, .. }) if found == number),
                "{text}: {what:?}"
            );
        }
        assert!(matches!(
            fragment("peer closed connection in SSL handshake").map(|decoded| decoded.what),
            Some(What::Closed { .. })
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
