//! The one module with `unsafe`: calls that NGINX makes and that the openssl crate does not wrap.
//!
//! - `PEM_read_bio_X509_AUX`, with which NGINX reads trusted certificates and the first one of a
//!   certificate file. It takes `TRUSTED CERTIFICATE` with its settings, which `X509::from_pem`
//!   does not. A password callback that always refuses is passed, because OpenSSL's own would ask
//!   on the terminal.
//! - `X509_check_host`, NGINX's name check, with NGINX's arguments.
//! - `X509_STORE_CTX_set_default` and `X509_STORE_CTX_set_verify_cb`, with which a chain is judged
//!   without a connection by the very settings that libssl uses.
//! - `SSL_set_msg_callback`, which gives each message in plain text; openssl-sys does not declare it.
//! - `OPENSSL_init_ssl` without the configuration file: the verdict is NGINX's, and must not depend
//!   on an `openssl.cnf` of the machine that the probe runs on.
//! - `CRYPTO_set_mem_functions`: OpenSSL's PEM decoder frees the DER of a private key without clearing
//!   it, so everything that OpenSSL frees is cleared.
#![allow(
    unsafe_code,
    reason = "calls into OpenSSL that the openssl crate does not wrap"
)]

use std::alloc::{Layout, alloc, dealloc};
use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::ptr;
use std::slice;
use std::sync::{Arc, LazyLock, Once};

use foreign_types::{ForeignType, ForeignTypeRef};
use openssl::error::ErrorStack;
use openssl::ex_data::Index;
use openssl::ssl::{Ssl, SslRef};
use openssl::x509::verify::X509VerifyParamRef;
use openssl::x509::{X509, X509Ref, X509StoreContextRef, X509VerifyResult};

use super::file::as_a_file;
use super::messages::MessageLog;
use crate::transcript::VerifyEvent;

unsafe extern "C" {
    fn CRYPTO_set_mem_functions(
        malloc: unsafe extern "C" fn(usize, *const c_char, c_int) -> *mut c_void,
        realloc: unsafe extern "C" fn(*mut c_void, usize, *const c_char, c_int) -> *mut c_void,
        free: unsafe extern "C" fn(*mut c_void, *const c_char, c_int),
    ) -> c_int;

    fn OPENSSL_cleanse(start: *mut c_void, length: usize);

    fn PEM_read_bio_X509_AUX(
        bio: *mut openssl_sys::BIO,
        out: *mut *mut openssl_sys::X509,
        callback: openssl_sys::pem_password_cb,
        user_data: *mut c_void,
    ) -> *mut openssl_sys::X509;

    fn X509_check_host(
        certificate: *const openssl_sys::X509,
        name: *const c_char,
        length: usize,
        flags: c_uint,
        peer_name: *mut *mut c_char,
    ) -> c_int;

    fn X509_STORE_CTX_get0_param(
        context: *mut openssl_sys::X509_STORE_CTX,
    ) -> *mut openssl_sys::X509_VERIFY_PARAM;

    fn X509_STORE_CTX_set_default(
        context: *mut openssl_sys::X509_STORE_CTX,
        name: *const c_char,
    ) -> c_int;

    fn X509_STORE_CTX_set_verify_cb(
        context: *mut openssl_sys::X509_STORE_CTX,
        callback: Option<unsafe extern "C" fn(c_int, *mut openssl_sys::X509_STORE_CTX) -> c_int>,
    );

    fn SSL_set_msg_callback(
        ssl: *mut openssl_sys::SSL,
        callback: Option<
            unsafe extern "C" fn(
                write_p: c_int,
                version: c_int,
                content_type: c_int,
                buffer: *const c_void,
                length: usize,
                ssl: *mut openssl_sys::SSL,
                argument: *mut c_void,
            ),
        >,
    );
}

/// `OPENSSL_INIT_NO_LOAD_CONFIG` of crypto.h.
const INIT_NO_LOAD_CONFIG: u64 = 0x80;
/// `OPENSSL_INIT_NO_ATEXIT` of crypto.h, as the openssl crate sets it.
const INIT_NO_ATEXIT: u64 = 0x0008_0000;
/// `OPENSSL_INIT_LOAD_SSL_STRINGS` of ssl.h.
const INIT_LOAD_SSL_STRINGS: u64 = 0x0020_0000;
/// `PEM_R_NO_START_LINE` of pemerr.h.
const PEM_NO_START_LINE: c_int = 108;
/// `ERR_LIB_PEM` of err.h.
const LIB_PEM: c_int = 9;

/// Has OpenSSL clear all memory that it frees, for the rest of the process. Returns whether it does:
/// it does not where OpenSSL has allocated memory already, so call this before anything else.
pub fn clear_freed_memory() -> bool {
    // SAFETY: the three functions keep to the contract of malloc, realloc and free, from any thread.
    unsafe { CRYPTO_set_mem_functions(allocate, reallocate, release) == 1 }
}

/// Bytes in front of each block, which hold its length. As malloc's own, a block is aligned to 16.
const HEADER: usize = 16;

fn layout(length: usize) -> Option<Layout> {
    Layout::from_size_align(length.checked_add(HEADER)?, HEADER).ok()
}

unsafe extern "C" fn allocate(length: usize, _: *const c_char, _: c_int) -> *mut c_void {
    let Some(layout) = layout(length).filter(|_| length > 0) else {
        return ptr::null_mut();
    };
    // SAFETY: the layout is not empty, and its first 16 bytes, aligned to 16, hold the length.
    unsafe {
        let start = alloc(layout);
        if start.is_null() {
            return ptr::null_mut();
        }
        start.cast::<usize>().write_unaligned(length);
        start.add(HEADER).cast()
    }
}

/// The length of a block of [`allocate`].
///
/// # Safety
/// `block` is such a block, and has not been released.
unsafe fn length_of(block: *mut c_void) -> usize {
    // SAFETY: by this function's contract the header stands in front.
    unsafe {
        block
            .cast::<u8>()
            .sub(HEADER)
            .cast::<usize>()
            .read_unaligned()
    }
}

unsafe extern "C" fn reallocate(
    block: *mut c_void,
    length: usize,
    file: *const c_char,
    line: c_int,
) -> *mut c_void {
    // SAFETY: OpenSSL passes null or a block of `allocate`. Always a new block: one that grew in
    // place by the allocator's means might leave a copy behind.
    unsafe {
        let new = allocate(length, file, line);
        if !block.is_null() && (!new.is_null() || length == 0) {
            let kept = length_of(block).min(length);
            if !new.is_null() {
                ptr::copy_nonoverlapping(block.cast::<u8>(), new.cast::<u8>(), kept);
            }
            release(block, file, line);
        }
        new
    }
}

unsafe extern "C" fn release(block: *mut c_void, _: *const c_char, _: c_int) {
    if block.is_null() {
        return;
    }
    // SAFETY: OpenSSL passes a block of `allocate` that it no longer uses.
    unsafe {
        let length = length_of(block);
        OPENSSL_cleanse(block, length);
        if let Some(layout) = layout(length) {
            dealloc(block.cast::<u8>().sub(HEADER), layout);
        }
    }
}

/// Makes OpenSSL ready without reading a configuration file. Has an effect only before the first
/// other use of OpenSSL in the process; may be called any number of times.
pub fn initialise() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: no settings are passed; OpenSSL allows the call at any time and from any thread.
        unsafe {
            openssl_sys::OPENSSL_init_ssl(
                INIT_NO_LOAD_CONFIG | INIT_NO_ATEXIT | INIT_LOAD_SSL_STRINGS,
                ptr::null_mut(),
            );
        }
        openssl_sys::init();
    });
}

/// Certificates that a PEM text holds, read as `ngx_ssl_cache_ca_create` reads a CA file.
///
/// # Errors
/// OpenSSL's errors where a block is broken or no certificate is there: what NGINX would log after
/// `PEM_read_bio_X509_AUX() failed`.
pub fn read_ca_certificates(pem: &[u8]) -> Result<Vec<X509>, ErrorStack> {
    let text = as_a_file(pem);
    let mut reader = PemReader::new(&text)?;
    let mut certificates = Vec::new();
    loop {
        match reader.next_with_settings() {
            Ok(certificate) => certificates.push(certificate),
            Err(end) if end.is_end && !certificates.is_empty() => return Ok(certificates),
            Err(end) => return Err(end.errors),
        }
    }
}

/// Why a certificate file could not be read, and with which call.
#[derive(Debug)]
pub struct CertificateFileError {
    /// `PEM_read_bio_X509_AUX` for the first certificate, `PEM_read_bio_X509` for a later one.
    pub call: &'static str,
    /// OpenSSL's errors, oldest first.
    pub errors: ErrorStack,
}

/// A leaf and what is sent with it, read as `ngx_ssl_cache_cert_create` reads a certificate file.
pub fn read_certificate_file(pem: &[u8]) -> Result<(X509, Vec<X509>), CertificateFileError> {
    let first = |errors| CertificateFileError {
        call: "PEM_read_bio_X509_AUX",
        errors,
    };
    let text = as_a_file(pem);
    let mut reader = PemReader::new(&text).map_err(first)?;
    let leaf = reader
        .next_with_settings()
        .map_err(|end| first(end.errors))?;
    let mut chain = Vec::new();
    loop {
        match reader.next_plain() {
            Ok(certificate) => chain.push(certificate),
            Err(end) if end.is_end => return Ok((leaf, chain)),
            Err(end) => {
                return Err(CertificateFileError {
                    call: "PEM_read_bio_X509",
                    errors: end.errors,
                });
            }
        }
    }
}

/// OpenSSL's words for a verify code (`X509_V_ERR_…`).
pub fn verify_words(code: i32) -> &'static str {
    // SAFETY: a code is a number, and OpenSSL has words for any.
    unsafe { X509VerifyResult::from_raw(code) }.error_string()
}

/// Whether OpenSSL finds `name` in the certificate, as `ngx_ssl_check_host` asks it. An empty name
/// matches nothing: OpenSSL would take length 0 for "count the bytes yourself".
pub fn check_host(certificate: &X509Ref, name: &str) -> bool {
    if name.is_empty() {
        return false;
    }
    // SAFETY: both pointers are valid for the call, the length is that of the text, and no peer
    // name is asked for.
    let found = unsafe {
        X509_check_host(
            certificate.as_ptr(),
            name.as_ptr().cast(),
            name.len(),
            0,
            ptr::null_mut(),
        )
    };
    found == 1
}

/// Settings by which a chain is judged.
pub struct ChainSettings {
    /// The name of libssl's defaults: `ssl_server` judges a server, `ssl_client` a client.
    pub defaults: &'static CStr,
    /// The most intermediates.
    pub depth: u32,
    /// The security level.
    pub level: u32,
    /// Seconds since the epoch, where it is not to be now.
    pub at: Option<i64>,
}

/// Judges the chain that the context was initialised with, in the order of calls of libssl's
/// `ssl_verify_cert_chain`, by a callback that records each error and continues. Returns what it saw.
pub fn verify_chain(
    context: &mut X509StoreContextRef,
    settings: &ChainSettings,
) -> Result<Vec<VerifyEvent>, ErrorStack> {
    // SAFETY: the context is valid and initialised; its parameters belong to it and are not kept.
    let is_set = unsafe {
        let param = X509_STORE_CTX_get0_param(context.as_ptr());
        let param = X509VerifyParamRef::from_ptr_mut(param);
        param.set_auth_level(c_int::try_from(settings.level).unwrap_or(c_int::MAX));
        let is_set = X509_STORE_CTX_set_default(context.as_ptr(), settings.defaults.as_ptr()) == 1;
        param.set_depth(c_int::try_from(settings.depth).unwrap_or(c_int::MAX));
        if let Some(at) = settings.at {
            param.set_time(at);
        }
        X509_STORE_CTX_set_verify_cb(context.as_ptr(), Some(on_verify));
        is_set
    };
    if !is_set {
        return Err(ErrorStack::get());
    }
    EVENTS.with_borrow_mut(Vec::clear);
    context.verify_cert()?;
    Ok(EVENTS.take())
}

thread_local! {
    /// What the callback of the chain saw that this thread is judging: OpenSSL calls it on the
    /// thread that asked.
    static EVENTS: RefCell<Vec<VerifyEvent>> = const { RefCell::new(Vec::new()) };
}

unsafe extern "C" fn on_verify(ok: c_int, context: *mut openssl_sys::X509_STORE_CTX) -> c_int {
    if !context.is_null() {
        // SAFETY: OpenSSL passes the context that it works on, valid for the call.
        let context = unsafe { X509StoreContextRef::from_ptr(context) };
        let event = super::verify::verify_event(ok == 1, context);
        EVENTS.with_borrow_mut(|events| {
            if events.len() < super::verify::MOST_EVENTS {
                events.push(event);
            }
        });
    }
    1
}

/// Has every message of this connection, in both directions, written to `log`.
pub fn record_messages(ssl: &mut SslRef, log: Arc<MessageLog>) {
    ssl.set_ex_data(*LOG_INDEX, log);
    // SAFETY: the callback has the type that OpenSSL declares, and finds its log in the SSL's own
    // data, which lives as long as the SSL.
    unsafe { SSL_set_msg_callback(ssl.as_ptr(), Some(on_message)) }
}

static LOG_INDEX: LazyLock<Index<Ssl, Arc<MessageLog>>> =
    LazyLock::new(|| Ssl::new_ex_index().expect("OpenSSL has memory for an index"));

unsafe extern "C" fn on_message(
    write_p: c_int,
    version: c_int,
    content_type: c_int,
    buffer: *const c_void,
    length: usize,
    ssl: *mut openssl_sys::SSL,
    _argument: *mut c_void,
) {
    if buffer.is_null() || ssl.is_null() {
        return;
    }
    // SAFETY: OpenSSL passes the SSL that it works on and a buffer of `length` bytes, both valid
    // for the call.
    let (ssl, bytes) = unsafe {
        (
            SslRef::from_ptr(ssl),
            slice::from_raw_parts(buffer.cast::<u8>(), length),
        )
    };
    if let Some(log) = ssl.ex_data(*LOG_INDEX) {
        log.on_message(write_p != 0, version, content_type, bytes);
    }
}

/// Why the reader gave no certificate.
struct End {
    /// OpenSSL saw no further `-----BEGIN`.
    is_end: bool,
    errors: ErrorStack,
}

/// OpenSSL's PEM reader over a text in memory.
struct PemReader<'a> {
    bio: *mut openssl_sys::BIO,
    _text: std::marker::PhantomData<&'a [u8]>,
}

impl<'a> PemReader<'a> {
    fn new(pem: &'a [u8]) -> Result<Self, ErrorStack> {
        initialise();
        // What an earlier call left in this thread's queue is none of this text's errors.
        drop(ErrorStack::get());
        let length = c_int::try_from(pem.len()).unwrap_or(c_int::MAX);
        // SAFETY: the BIO reads from `pem` only, and does not outlive it.
        let bio = unsafe { openssl_sys::BIO_new_mem_buf(pem.as_ptr().cast(), length) };
        if bio.is_null() {
            Err(ErrorStack::get())
        } else {
            Ok(Self {
                bio,
                _text: std::marker::PhantomData,
            })
        }
    }

    fn next_with_settings(&mut self) -> Result<X509, End> {
        // SAFETY: the BIO is valid; OpenSSL returns a certificate that is ours, or null.
        unsafe {
            certificate(PEM_read_bio_X509_AUX(
                self.bio,
                ptr::null_mut(),
                Some(refuse_password),
                ptr::null_mut(),
            ))
        }
    }

    fn next_plain(&mut self) -> Result<X509, End> {
        // SAFETY: as in `next_with_settings`.
        unsafe {
            certificate(openssl_sys::PEM_read_bio_X509(
                self.bio,
                ptr::null_mut(),
                Some(refuse_password),
                ptr::null_mut(),
            ))
        }
    }
}

impl Drop for PemReader<'_> {
    fn drop(&mut self) {
        // SAFETY: the BIO is ours and is freed once.
        unsafe { openssl_sys::BIO_free_all(self.bio) }
    }
}

/// # Safety
/// `pointer` is null or a certificate that the caller owns.
unsafe fn certificate(pointer: *mut openssl_sys::X509) -> Result<X509, End> {
    if pointer.is_null() {
        let errors = ErrorStack::get();
        let is_end = errors.errors().last().is_some_and(|error| {
            error.library_code() == LIB_PEM && error.reason_code() == PEM_NO_START_LINE
        });
        Err(End { is_end, errors })
    } else {
        // SAFETY: by this function's contract.
        Ok(unsafe { X509::from_ptr(pointer) })
    }
}

unsafe extern "C" fn refuse_password(
    _buffer: *mut c_char,
    _size: c_int,
    _writing: c_int,
    _user_data: *mut c_void,
) -> c_int {
    -1
}
