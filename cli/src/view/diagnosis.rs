//! `doctor`

use anjuan_node::service::view::{Diagnosis, Urgency};
use anjuan_node::text;

use super::View;
use super::page::{Page, plain, toned};
use crate::output::Ink;

impl View for Diagnosis {
    fn lay_out(&self, page: &mut Page<'_>) {
        for finding in &self.findings {
            let (mark, ink) = match finding.urgency {
                Urgency::Act => (text!("需要处理", "to be done"), Ink::Bad),
                Urgency::Know => (text!("知悉", "good to know"), Ink::Attention),
            };
            let (mark, what) = (page.say(&mark), page.say(&finding.what));
            page.line(&[
                toned(format!("{mark} [{}]", finding.code), ink),
                plain("  "),
                plain(what),
            ]);
            for (label, said) in [
                (text!("含义", "it means"), &finding.means),
                (text!("怎么办", "to do"), &finding.todo),
            ] {
                let (label, said) = (page.say(&label), page.say(said));
                page.line(&[toned(format!("  {label}: "), Ink::Quiet), plain(said)]);
            }
        }
        if self.well {
            let well = page.say(&text!("没有需要处理的事项", "nothing has to be done"));
            page.line(&[toned(well, Ink::Good)]);
        }
    }
}
