//! What a handshake can come to: a file for each code, with its rule and what it means for a connection.

pub(in crate::diagnosis) mod b1;
pub(in crate::diagnosis) mod b10;
pub(in crate::diagnosis) mod b11;
pub(in crate::diagnosis) mod b15;
pub(in crate::diagnosis) mod b16;
pub(in crate::diagnosis) mod b2;
pub(in crate::diagnosis) mod b3;
pub(in crate::diagnosis) mod b4;
pub(in crate::diagnosis) mod b5;
pub(in crate::diagnosis) mod b6;
pub(in crate::diagnosis) mod b7;
pub(in crate::diagnosis) mod b8;
pub(in crate::diagnosis) mod b9;
pub(in crate::diagnosis) mod t1;
pub(in crate::diagnosis) mod t10;
pub(in crate::diagnosis) mod t11;
pub(in crate::diagnosis) mod t12;
pub(in crate::diagnosis) mod t13;
pub(in crate::diagnosis) mod t14;
pub(in crate::diagnosis) mod t2;
pub(in crate::diagnosis) mod t20;
pub(in crate::diagnosis) mod t21;
pub(in crate::diagnosis) mod t22;
pub(in crate::diagnosis) mod t23;
pub(in crate::diagnosis) mod t3;
pub(in crate::diagnosis) mod t4;
pub(in crate::diagnosis) mod t5;
pub(in crate::diagnosis) mod t6;
pub(in crate::diagnosis) mod t7;
pub(in crate::diagnosis) mod t8;
pub(in crate::diagnosis) mod t9;

/// What the files use.
mod prelude {
    pub(super) use super::{
        super::{
            connection::{Case, Claim, Connection, May, ShownBy, Subject},
            remedy, sentence,
            sentence::{depth_text, older_ca, too_deep, trust_text},
            shown, told,
        },
        LATER,
    };
    pub(super) use crate::diagnosis::{
        code::Code,
        fault::Fault,
        finding::{Remedy, Severity},
        rule::{Need, Rule},
        rules::{change, expiry, shared::upper},
        words::list,
    };
}

use crate::diagnosis::code::Code;

/// What every one of them makes of an upstream, of sessions and of kept connections.
const LATER: &[Code] = &[Code::T15, Code::T16, Code::T17, Code::T18, Code::R14];
