//! TLS libraries that judge: OpenSSL, whose verdict is NGINX's.

pub mod openssl;
