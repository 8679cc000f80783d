//! Who may act: certificates, roles, revocations.

pub mod certificate;
pub mod credentials;
pub mod revocation;
pub mod role;
