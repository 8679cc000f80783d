//! `particulars read` and `particulars erase`

use anjuan_node::service::{ServiceError, call};
use anjuan_node::text;
use clap::Subcommand;

use crate::app::App;
use crate::args::bi;
use crate::host::Host;

/// Sealed particulars.
#[derive(Debug, clap::Args)]
pub(super) struct Sealed {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Opens them.
    #[command(about = bi!(
        "查阅;上级查阅须说明理由并留痕",
        "read them; by a superior it needs a reason and is recorded"
    ))]
    Read {
        #[arg(value_name = "DOCUMENT", help = bi!("案件", "the case"))]
        document: String,
        #[arg(value_name = "COMMITMENT", help = bi!("承诺值,或其开头几位", "the commitment, or the first digits of it"))]
        commitment: String,
        #[arg(long, value_name = "TEXT", help = bi!("理由", "why"))]
        reason: Option<String>,
        #[arg(long = "as", value_name = "HANDLE", help = bi!("操作员代号", "the operator's handle"))]
        operator: Option<String>,
    },
    /// Destroys them.
    #[command(about = bi!("依法删除;不能恢复", "erase them on a legal basis; there is no way back"))]
    Erase {
        #[arg(value_name = "DOCUMENT", help = bi!("案件", "the case"))]
        document: String,
        #[arg(value_name = "COMMITMENT", help = bi!("承诺值,或其开头几位", "the commitment, or the first digits of it"))]
        commitment: String,
        #[arg(long, value_name = "CODE", value_parser = [
            "purpose-done", "term-over", "consent-withdrawn", "unlawful", "ordered",
        ])]
        #[arg(help = bi!(
            "法定情形:purpose-done 目的已实现、term-over 期限届满、consent-withdrawn 撤回同意、unlawful 违法处理、ordered 依决定",
            "legal basis: purpose-done, term-over, consent-withdrawn, unlawful, ordered"
        ))]
        basis: String,
        #[arg(long, value_name = "TEXT", help = bi!("法律条款或文书编号", "article of law, or number of the decision"))]
        reference: String,
        #[arg(long = "as", value_name = "HANDLE", help = bi!("操作员代号", "the operator's handle"))]
        operator: Option<String>,
        #[arg(long, help = bi!("不再询问", "do not ask"))]
        yes: bool,
    },
}

impl Sealed {
    pub(super) fn run<H: Host>(self, app: &mut App<'_, H>) -> Result<(), ServiceError> {
        match self.action {
            Action::Read {
                document,
                commitment,
                reason,
                operator,
            } => {
                let particulars = app.call_signing(operator, |sign| call::ParticularsRead {
                    document: document.clone(),
                    commitment: commitment.clone(),
                    reason: reason.clone(),
                    sign,
                })?;
                app.show(&particulars)
            }
            Action::Erase {
                document,
                commitment,
                basis,
                reference,
                operator,
                yes,
            } => {
                app.confirm(
                    yes,
                    &text!(
                        "删除 {document} 中的密封材料 {commitment}?不能恢复。",
                        "Erase {commitment} of {document}? There is no way back."
                    ),
                )?;
                let recorded = app.call_signing(operator, |sign| call::ParticularsErase {
                    document: document.clone(),
                    commitment: commitment.clone(),
                    basis: basis.clone(),
                    reference: reference.clone(),
                    sign,
                })?;
                app.show(&recorded)
            }
        }
    }
}
