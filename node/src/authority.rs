//! Who may act: certificates, roles, revocations.

pub mod certificate;
pub mod credentials;
pub mod encoding;
pub mod revocation;
pub mod role;
#[cfg(test)]
pub(crate) mod testing;
