//! `verify`

use anjuan_node::service::view::Verification;
use anjuan_node::text;

use super::View;
use super::page::{Page, Piece, plain, toned};
use crate::output::{Column, Ink};

impl View for Verification {
    fn lay_out(&self, page: &mut Page<'_>) {
        let (verdict, ink) = if self.ok {
            (text!("核验通过", "everything holds"), Ink::Good)
        } else {
            (text!("核验未通过", "not everything holds"), Ink::Bad)
        };
        let verdict = page.say(&verdict);
        page.line(&[toned(verdict, ink)]);
        let millis = self.millis;
        page.facts(&[
            (
                text!("证书与吊销", "credentials"),
                plain(self.credentials.to_string()),
            ),
            (text!("更新", "updates"), plain(self.updates.to_string())),
            (text!("日志", "logs"), plain(self.logs.to_string())),
            (text!("文档", "documents"), plain(self.documents.to_string())),
            (text!("密封材料", "sealed items"), plain(self.sealed.to_string())),
            (text!("用时", "took"), plain(format!("{millis} ms"))),
        ]);
        if !self.not_counting.is_empty() {
            page.heading(&text!("保留但不计入的更新", "Updates kept that do not count"));
            let rows: Vec<Vec<Piece>> = self
                .not_counting
                .iter()
                .map(|(standing, number)| vec![plain(standing), plain(number.to_string())])
                .collect();
            page.table(
                [
                    Column::new(text!("情形", "standing")),
                    Column::new(text!("条数", "how many")),
                ],
                &rows,
            );
        }
        if !self.faults.is_empty() {
            page.heading(&text!("不符之处", "What does not hold"));
            for fault in &self.faults {
                let message = page.say(&fault.message);
                page.line(&[
                    plain("  "),
                    toned(&fault.what, Ink::Bad),
                    plain(": "),
                    plain(message),
                    toned(format!(" ({})", fault.check), Ink::Quiet),
                ]);
            }
        }
    }
}
