//! A certificate with its chain and its key, as nginx reads both (`ngx_ssl_certificate`).

use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use openssl::ssl::SslContextBuilder;
use openssl::x509::X509;

/// Sets the first certificate of a PEM text as the own one, sends the others with it, and sets the key.
pub(crate) fn set_pair(
    builder: &mut SslContextBuilder,
    chain: &[u8],
    key: &[u8],
) -> Result<(), ErrorStack> {
    let mut chain = X509::stack_from_pem(chain)?.into_iter();
    if let Some(leaf) = chain.next() {
        builder.set_certificate(&leaf)?;
    }
    for intermediate in chain {
        builder.add_extra_chain_cert(intermediate)?;
    }
    // Never ask the terminal for a passphrase.
    let key = PKey::private_key_from_pem_callback(key, |_| Ok(0))?;
    builder.set_private_key(&key)
}
