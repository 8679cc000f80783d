//! What has happened to this node that somebody should know: what it means, and what to do.

use std::collections::BTreeMap;

use anjuan_sync::LogState;

use super::call::{Doctor, Handle, Progress};
use super::checkpoints::conflict_text;
use super::view::{Diagnosis, Finding, Urgency};
use super::{Service, ServiceError};
use crate::evidence::name::NodeName;
use crate::notary::NotaryError;
use crate::text;
use crate::text::Text;

/// Days without a checkpoint after which an auditor is to ask.
const SILENT_DAYS: i64 = 30;
const DAY: i64 = 24 * 3_600_000;

fn finding(code: &str, urgency: Urgency, what: Text, means: Text, todo: Text) -> Finding {
    Finding {
        code: code.to_owned(),
        urgency,
        what,
        means,
        todo,
    }
}

fn nothing_to_do() -> Text {
    Text::new("无需处理", "nothing")
}

impl Service {
    /// A line for each node whose checkpoints don't go together.
    pub(super) fn conflict_warnings(&self) -> Vec<Text> {
        let notary = self.notary();
        let warnings = notary.conflicts().map(|evidence| {
            let node = evidence.earlier.unverified().origin().node().clone();
            let unit = node.unit();
            let Text { zh, en } = conflict_text(evidence.conflict);
            text!(
                "{unit} 的检查点前后矛盾({zh});anjuan doctor 有说明",
                "checkpoints of {unit} do not go together ({en}); `anjuan doctor` explains"
            )
        });
        warnings.collect()
    }

    fn stopped(&self) -> Option<Finding> {
        let why = self.ledger().stopped()?;
        Some(finding(
            "stopped",
            Urgency::Act,
            text!("日志已停止写入:{why}", "the journal has stopped: {why}"),
            Text::new(
                "此后登记的内容都没有确认,也没有保存;查阅不受影响",
                "nothing recorded since was acknowledged or kept; reading goes on",
            ),
            Text::new(
                "腾出磁盘空间或更换磁盘;恢复后自动继续",
                "free some disk space, or replace the disk; it goes on by itself",
            ),
        ))
    }

    /// What opening the store found.
    fn at_start(&self) -> Vec<Finding> {
        let told = self.0.notes.iter().map(|note| {
            finding(
                "start",
                Urgency::Know,
                note.clone(),
                Text::new("启动时发现,已自动处理", "found at the start, and dealt with"),
                Text::new(
                    "与上级或下级节点同步一次,补回可能缺少的记录",
                    "sync once with a node above or below, which brings back what may be missing",
                ),
            )
        });
        told.collect()
    }

    /// Epochs that ended, and whether anything was lost with them.
    fn epochs(&self) -> Result<Vec<Finding>, NotaryError> {
        let notary = self.notary();
        let mut findings = Vec::new();
        for last in notary.former() {
            let (size, epoch) = (last.head().size, last.origin().epoch().to_string());
            findings.push(if notary.contains(last.head())? {
                finding(
                    "epoch",
                    Urgency::Know,
                    text!(
                        "日志时期 {epoch} 已结束,最后签署了 {size} 条记录的检查点",
                        "the epoch {epoch} of the log has ended; its last checkpoint was of {size} records"
                    ),
                    Text::new(
                        "目录被复制、移动或恢复过,或有日志分叉;签署过的内容都在,没有丢失",
                        "the home was copied, moved or restored, or one of its logs was forked; all that was signed is here, nothing is lost",
                    ),
                    nothing_to_do(),
                )
            } else {
                finding(
                    "set-back",
                    Urgency::Know,
                    text!(
                        "本节点的数据曾被恢复到较早的状态:日志时期 {epoch} 签署过 {size} 条记录,现有日志不再包含它们",
                        "this store was set back: {size} records were signed in the epoch {epoch} of its log, and the journal no longer contains them"
                    ),
                    Text::new(
                        "恢复备份、断电或磁盘故障都会如此。旧日志不再续写,新日志从现有内容开始;见证过旧检查点的节点留有证据,审计报告会说明这一断点,不会算作伪造",
                        "a backup that was restored, a power loss or a disk fault does this. The old log is not continued, a new one began with what is here; witnesses keep what they saw of the old one, and an audit explains the gap, it does not take it for a forgery",
                    ),
                    Text::new(
                        "与上级和下级节点各同步一次,它们收到过的会补回;核对恢复之后、备份之前登记的内容,缺少的重新登记;把恢复的时间和原因记入台账,供审计查阅",
                        "sync once with the nodes above and below, which bring back what they had taken in; look whether anything recorded after the backup is missing, and record it again; write down when and why it was restored, for the auditor",
                    ),
                )
            });
        }
        Ok(findings)
    }

    fn forks(&self) -> Vec<Finding> {
        let ledger = self.ledger();
        let mut findings = Vec::new();
        for (log, state) in ledger.logs().iter() {
            let LogState::Forked { seq, .. } = state else {
                continue;
            };
            let (author, space) = (log.author.short(), &log.space);
            let mut certificates = ledger.credentials().certificates_for(log.author);
            let label = certificates
                .next()
                .map(|certified| certified.certificate().label().to_owned());
            let who = label.unwrap_or_else(|| author.to_string());
            findings.push(finding(
                "fork",
                Urgency::Act,
                text!(
                    "{who} 在 {space} 的日志于第 {seq} 条处分叉:同一位置有两条签名记录",
                    "the log of {who} in {space} is forked at {seq}: two signed records for one place"
                ),
                Text::new(
                    "同一密钥在两处同时使用(例如备份与原机同时运行),或已被盗用;此处及其后的记录不计入,两条都保留为证据",
                    "the key was used in two places at once (a backup beside the original), or is stolen; nothing from there on counts, and both are kept as evidence",
                ),
                Text::new(
                    "问清操作员;停用多余的一份,或用 anjuan operator revoke 吊销并换新密钥;诚实的内容可重新登记",
                    "ask the operator; take the second copy out of use, or revoke the certificate (`anjuan operator revoke`) and make a new key; honest work can be recorded again",
                ),
            ));
        }
        findings
    }

    fn conflicts(&self) -> Vec<Finding> {
        let notary = self.notary();
        let folder = self.home().folder().join("evidence");
        let folder = folder.display();
        let findings = notary.conflicts().map(|evidence| {
            let (earlier, later) = (evidence.earlier.unverified(), evidence.later.unverified());
            let (node, first, second) = (earlier.origin().node(), earlier.head().size, later.head().size);
            let Text { zh, en } = conflict_text(evidence.conflict);
            let unit = node.unit();
            let own = node == notary.name();
            finding(
                "conflict",
                Urgency::Act,
                text!(
                    "{unit} 节点出示了互相矛盾的两个检查点({first} 条与 {second} 条):{zh}",
                    "the node of {unit} showed two checkpoints that do not go together (of {first} and of {second} records): {en}"
                ),
                if own {
                    Text::new(
                        "见证节点认为本节点改写过历史。两个检查点都由本节点的密钥签署:目录可能有两份同时运行,或密钥被盗用",
                        "a witness holds that this node rewrote its history. Both are signed by this node's key: its home may run twice, or the key is stolen",
                    )
                } else {
                    Text::new(
                        "两个检查点都由该节点的密钥签署,是其日志被改写、丢失或对不同节点出示不同内容的证据;它的更新如签名有效仍照常接收",
                        "both are signed by that node's key: proof that its log was rewritten or lost, or shown differently to different nodes. Its updates are still taken in as far as they verify by themselves",
                    )
                },
                text!(
                    "两个检查点保存在 {folder} 下,请勿删除;通知上级和审计人员",
                    "both are kept below {folder}: leave them there, and tell the unit above and the auditor"
                ),
            )
        });
        findings.collect()
    }

    /// At an auditor's node: nodes that it has heard nothing of for long.
    fn silent(&self) -> Vec<Finding> {
        if !self.is_auditors() {
            return Vec::new();
        }
        let notary = self.notary();
        let mut newest = BTreeMap::<&NodeName, i64>::new();
        for (origin, kept) in notary.witness().logs() {
            if let Some(time) = kept.time() {
                let newest = newest.entry(origin.node()).or_default();
                *newest = time.first().as_millis().max(*newest);
            }
        }
        let now = self.now().as_millis();
        let silent = newest.into_iter().map(|(node, at)| (node, (now - at) / DAY));
        let findings = silent.filter(|(_, days)| *days >= SILENT_DAYS).map(|(node, days)| {
            let unit = node.unit();
            finding(
                "silent",
                Urgency::Act,
                text!(
                    "{unit} 的节点已 {days} 天没有出示检查点",
                    "the node of {unit} has shown no checkpoint for {days} days"
                ),
                Text::new(
                    "此间登记的内容没有经本节点见证;之后出示的仍要与先前的一致",
                    "what was recorded since was not witnessed here; whatever it shows later has to go with what it showed before",
                ),
                Text::new(
                    "询问该单位:节点是否停用、更换,或网络不通",
                    "ask the unit whether the node is out of use, replaced, or cut off",
                ),
            )
        });
        findings.collect()
    }

    /// Nodes of which more than one log was witnessed: stores that were set back.
    fn restored_peers(&self) -> Vec<Finding> {
        let notary = self.notary();
        let mut logs = BTreeMap::<&NodeName, u64>::new();
        for (origin, _) in notary.witness().logs() {
            *logs.entry(origin.node()).or_default() += 1;
        }
        let findings = logs.into_iter().filter(|(_, logs)| *logs > 1).map(|(node, logs)| {
            let (unit, times) = (node.unit(), logs - 1);
            finding(
                "peer-set-back",
                Urgency::Know,
                text!(
                    "{unit} 的节点换过 {times} 次日志",
                    "the node of {unit} began a new log {times} times"
                ),
                Text::new(
                    "该节点恢复过备份、被复制过,或断电丢失了末尾记录;旧日志的最后检查点仍由本节点保存",
                    "it was restored from a backup or copied, or lost the end of its journal in a power loss; this node keeps the last checkpoint of the old log",
                ),
                Text::new(
                    "与该单位核对恢复的时间和原因",
                    "ask the unit when and why it was restored",
                ),
            )
        });
        findings.collect()
    }

    fn clocks(&self) -> Vec<Finding> {
        let peers = self.peers();
        let warnings = self.clock_warnings(&peers).into_iter();
        let findings = warnings.map(|warning| {
            finding(
                "clock",
                Urgency::Act,
                warning,
                Text::new(
                    "记录时间和见证时间以本机时钟为准;偏差过大会使时限和时间证据不可信",
                    "recorded and witnessed times are those of the clock; one that is far off makes deadlines and proofs of time worthless",
                ),
                Text::new(
                    "校准时钟(如启用网络校时),再重新连接",
                    "set the clock (have it set by the network), and connect again",
                ),
            )
        });
        findings.collect()
    }

    fn damaged(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for path in self.notary().witness().damaged() {
            let path = path.display();
            findings.push(finding(
                "witness-damaged",
                Urgency::Act,
                text!("{path} 已损坏", "{path} is damaged"),
                Text::new(
                    "不再知道上次见证该日志时的内容,因此不再为它见证",
                    "what was witnessed last of that log is not known, so it is witnessed no more",
                ),
                Text::new("从备份恢复该文件", "put the file back from a backup"),
            ));
        }
        let evidence = self.ledger().counts().evidence;
        if evidence > 0 {
            findings.push(finding(
                "refused",
                Urgency::Know,
                text!(
                    "已拒收 {evidence} 件并保留为证据",
                    "{evidence} things were refused and kept as evidence"
                ),
                Text::new(
                    "收到过签名无效、无权或格式不符的内容;没有计入任何案卷",
                    "what came in was signed falsely, without a right to it, or malformed; it counts nowhere",
                ),
                Text::new(
                    "查看运行日志中是哪个节点发来的;反复出现时通知上级",
                    "see in the node's log who sent it; if it comes again and again, tell the unit above",
                ),
            ));
        }
        findings
    }

    /// Can checkpoints be signed, and does anybody cosign them?
    fn witnesses(&self) -> Option<Finding> {
        if let Err(error) = self.sign_checkpoint() {
            let Text { zh, en } = &error.message;
            return Some(finding(
                "unsigned",
                Urgency::Act,
                text!("不能签署检查点:{zh}", "no checkpoint can be signed: {en}"),
                Text::new(
                    "此后登记的内容没有检查点,也没有见证",
                    "what is recorded from now on is in no checkpoint, and nobody witnesses it",
                ),
                Text::new(
                    "先处理磁盘或损坏的记录;默克尔树可删除 evidence/merkle 后自动重建",
                    "mend the disk or the damaged record first; the Merkle log is built anew if evidence/merkle is removed",
                ),
            ));
        }
        let notary = self.notary();
        if notary.newest().is_none() || notary.cosigned().is_some() {
            return None;
        }
        Some(finding(
            "unwitnessed",
            Urgency::Know,
            Text::new(
                "本节点的检查点还没有其他节点见证",
                "no other node has witnessed this node's journal yet",
            ),
            Text::new(
                "还没有人能证明这些记录何时已经存在",
                "nobody can prove yet when its records were there",
            ),
            Text::new(
                "运行节点并连接上级;也可在 config.toml 的 witnesses 中指定见证节点",
                "run the node and connect to the node above, or name witnesses in config.toml",
            ),
        ))
    }
}

impl Handle<Doctor> for Service {
    fn handle(&self, _: Doctor, _: &mut dyn FnMut(Progress)) -> Result<Diagnosis, ServiceError> {
        let mut findings: Vec<Finding> = self.stopped().into_iter().collect();
        findings.extend(self.witnesses());
        findings.extend(self.conflicts());
        findings.extend(self.forks());
        findings.extend(self.clocks());
        findings.extend(self.damaged());
        findings.extend(self.epochs()?);
        findings.extend(self.restored_peers());
        findings.extend(self.silent());
        findings.extend(self.at_start());
        findings.sort_by_key(|finding| finding.urgency);
        let well = findings.iter().all(|finding| finding.urgency == Urgency::Know);
        Ok(Diagnosis { well, findings })
    }
}
