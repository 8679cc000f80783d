//! Founding and joining.

use anjuan_node::service::setup::{Founded, Joined, Requested};
use anjuan_node::service::view::{Done, Invitation, SignedRequest};
use anjuan_node::text;

use super::page::{Page, plain, toned};
use super::{View, Written, unit_name};
use crate::output::Ink;

impl View for Founded {
    fn lay_out(&self, page: &mut Page<'_>) {
        page.heading(&text!("网络已建立", "The network is founded"));
        page.facts(&[
            (text!("单位", "unit"), plain(unit_name(&self.unit))),
            (text!("网络", "network"), plain(&self.network)),
            (text!("节点号", "peer id"), plain(&self.peer_id)),
            (text!("节点目录", "home"), plain(&self.home)),
            (text!("根证书", "root certificate"), plain(&self.root_certificate)),
        ]);
        let next = page.say(&text!(
            "根证书请另行保存:审计只信它。接下来:anjuan operator add …,anjuan serve",
            "Keep the root certificate elsewhere too: auditors trust nothing else. Next: anjuan operator add .., anjuan serve"
        ));
        page.line(&[plain(next)]);
    }
}

impl View for Joined {
    fn lay_out(&self, page: &mut Page<'_>) {
        page.heading(&text!("已加入网络", "Joined the network"));
        let role = if self.standby {
            text!("备用节点", "second node of its unit")
        } else if self.auditor {
            text!(
                "审计员的节点:跟随本单位,不登记",
                "auditor's node: follows the unit, records nothing"
            )
        } else {
            text!("本单位节点与授权机构", "node and authority of its unit")
        };
        let mut facts = vec![
            (text!("单位", "unit"), plain(unit_name(&self.unit))),
            (text!("身份", "as"), plain(page.say(&role))),
            (text!("网络", "network"), plain(&self.network)),
            (text!("节点号", "peer id"), plain(&self.peer_id)),
            (text!("节点目录", "home"), plain(&self.home)),
        ];
        if let Some(parent) = &self.parent {
            facts.push((text!("上级节点", "parent"), plain(parent)));
        }
        page.facts(&facts);
    }
}

impl View for Invitation {
    fn lay_out(&self, page: &mut Page<'_>) {
        let (unit, expires) = (unit_name(&self.unit), page.instant(self.expires));
        page.heading(&match self.auditor {
            true => text!(
                "{unit} 审计员节点的邀请码,只能用一次,{expires} 前有效",
                "Ticket for an auditor's node of {unit}, for one use, until {expires}"
            ),
            false => text!(
                "{unit} 的邀请码,只能用一次,{expires} 前有效",
                "Ticket for {unit}, for one use, until {expires}"
            ),
        });
        page.verbatim(&self.ticket);
        let next = page.say(&text!(
            "在新节点上运行:anjuan join <邀请码>",
            "On the new node: anjuan join <ticket>"
        ));
        page.line(&[toned(next, Ink::Quiet)]);
    }
}

impl View for Written<SignedRequest> {
    fn lay_out(&self, page: &mut Page<'_>) {
        page.heading(&text!("加入申请已签发", "The request is signed"));
        page.facts(&[
            (text!("单位", "unit"), plain(unit_name(&self.answer.unit))),
            (text!("指纹", "fingerprint"), plain(&self.answer.fingerprint)),
            (text!("签发文件", "grant"), plain(&self.file)),
        ]);
        let next = page.say(&text!(
            "把签发文件带回对方,运行:anjuan join --grant <文件>",
            "Carry the grant back and run: anjuan join --grant <file>"
        ));
        page.line(&[toned(next, Ink::Quiet)]);
    }
}

impl View for Written<Requested> {
    fn lay_out(&self, page: &mut Page<'_>) {
        page.heading(&text!("加入申请已写好", "The request is written"));
        page.facts(&[
            (text!("单位", "unit"), plain(unit_name(&self.answer.unit))),
            (text!("指纹", "fingerprint"), plain(&self.answer.fingerprint)),
            (text!("申请文件", "request"), plain(&self.file)),
        ]);
        let next = page.say(&text!(
            "把申请文件带给上级,并电话核对指纹。上级运行:anjuan invite --sign <文件>",
            "Carry the request to the node above and compare the fingerprint by telephone. There: anjuan invite --sign <file>"
        ));
        page.line(&[toned(next, Ink::Quiet)]);
    }
}

impl View for Done {
    fn lay_out(&self, page: &mut Page<'_>) {
        let message = page.say(&self.message);
        page.line(&[plain(message)]);
    }
}
