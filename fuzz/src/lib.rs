//! What the fuzz targets share: what must hold of everything that is shown, and a peer that says
//! what the fuzzer wants it to.

#[cfg(feature = "core")]
pub mod core;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use ngf_tls::certificate::CertificateFacts;
use ngf_tls::transcript::{Field, Step};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Longest value of a field, in characters (`probes/src/recorder.rs`).
const LONGEST_VALUE: usize = 4_000;

/// Nothing in it moves a terminal's cursor, changes its colours, or turns the text around.
pub fn assert_fit_to_show(text: &str) {
    let odd = text.chars().find(|c| {
        c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    });
    assert_eq!(odd, None, "{text:?} is not fit to be shown");
}

/// The same of a text of several lines.
pub fn assert_lines_fit_to_show(text: &str) {
    assert_fit_to_show(&text.replace(['\n', '\t'], " "));
}

/// A field is bounded and fit to show.
pub fn assert_field(field: &Field) {
    assert_fit_to_show(&field.name);
    assert_fit_to_show(&field.value);
    assert!(field.value.chars().count() <= LONGEST_VALUE, "{field:?}");
}

/// A step is bounded and fit to show.
pub fn assert_step(step: &Step) {
    assert_fit_to_show(&step.name);
    assert_fit_to_show(&step.summary);
    step.fields.iter().for_each(assert_field);
}

/// A certificate's facts are fit to show.
pub fn assert_certificate(facts: &CertificateFacts) {
    for text in [
        &facts.subject,
        &facts.issuer,
        &facts.serial,
        &facts.key,
        &facts.signature,
    ] {
        assert_fit_to_show(text);
    }
    let lists = [
        &facts.dns_names,
        &facts.ip_addresses,
        &facts.other_names,
        &facts.key_usage,
        &facts.extended_key_usage,
    ];
    for text in lists.into_iter().flatten() {
        assert_fit_to_show(text);
    }
}

/// A peer that says this, so many bytes at a time, whatever it is told, and hangs up.
pub struct Peer {
    bytes: Vec<u8>,
    said: usize,
    at_once: usize,
}

impl Peer {
    /// `at_once` is at least 1.
    #[must_use]
    pub fn new(bytes: &[u8], at_once: usize) -> Self {
        Self {
            bytes: bytes.to_vec(),
            said: 0,
            at_once: at_once.max(1),
        }
    }
}

impl AsyncRead for Peer {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let left = self.bytes.len() - self.said;
        let next = left.min(self.at_once).min(buffer.remaining());
        buffer.put_slice(&self.bytes[self.said..self.said + next]);
        self.said += next;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Peer {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Runs a future to its end on this thread.
pub fn block_on<F: Future>(future: F) -> F::Output {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime of one thread can be built");
    }
    RUNTIME.with(|runtime| runtime.block_on(future))
}
