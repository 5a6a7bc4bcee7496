//! TLS libraries that judge: OpenSSL, whose verdict is NGINX's, and rustls for a second opinion.

pub mod openssl;
pub mod second_opinion;
