//! What an event needs besides the right stage and the right signer.

use std::collections::BTreeSet;

use anjuan_sync::UpdateId;
use jiff::civil::Date;

use super::events::{Event, Outcome, PerformanceManner, ReportedResult, TransferOutcome};
use super::policy::is_called_for;
use super::state::{CaseState, Stage, common_ancestor, papers_of, supervisor};
use super::tables::tables;
use crate::authority::role::Role;
use crate::calendar::{add_days, local_date};
use crate::kind::causal::Act;
use crate::kind::field::{Commitment, Day};
use crate::kind::who::is_at_or_above;
use crate::text;
use crate::text::Text;

use super::apply::is_chair;

fn refuse(zh: impl Into<String>, en: impl Into<String>) -> Result<(), Text> {
    Err(Text::new(zh, en))
}

/// Does the act have what it needs?
pub(super) fn check(act: Act<'_, Event>, state: &CaseState) -> Result<(), Text> {
    let today = local_date(act.entry.recorded_at);
    not_in_the_future(act.event, today)?;
    if !is_called_for(act.event.kind(), state) {
        not_called_for(act.event, state)?;
    }
    match act.event {
        Event::CaseRegistered(event) => {
            distinct(event.parties.iter().map(|party| party.commitment), "parties")
        }
        Event::TransferReceived(event) => {
            distinct(event.parties.iter().map(|party| party.commitment), "parties")?;
            in_line_of_transfer(&event.source_unit, &state.home)
        }
        Event::CaseAccepted(event) => match (&state.number, &event.number) {
            (Some(known), Some(number)) if known != number => Err(text!(
                "案号已是{known}",
                "the case has the number {known} already"
            )),
            _ => Ok(()),
        },
        Event::CaseAssigned(event) => {
            distinct(event.mediators.iter(), "mediators")?;
            match event.due {
                Some(due) if due.date() < today => {
                    refuse("办结日期已过", "field due: the day is past already")
                }
                _ => Ok(()),
            }
        }
        Event::AssignmentConfirmed(_) => match act.entry.signer.is_any(&[Role::Mediator, Role::Chair]) {
            true => Ok(()),
            false => refuse("只有调解员可以承办", "only a mediator can take a case on"),
        },
        Event::MediatorRecused(event) => {
            if state.mediators.iter().any(|m| m.key == event.mediator) {
                let signer = &act.entry.signer;
                return match signer.key == event.mediator || is_chair(signer, state.acting_unit()) {
                    true => Ok(()),
                    false => refuse(
                        "调解员只能本人回避;他人回避由主任决定",
                        "a mediator steps back himself; another is taken off by the chair",
                    ),
                };
            }
            let key = event.mediator.short();
            Err(text!("本案未交办给 {key}", "the case is not assigned to {key}"))
        }
        Event::Prepared(event) => {
            match event.invitees.as_slice().is_empty() || event.invitees_consented.is_some() {
                true => Ok(()),
                false => refuse(
                    "邀请他人参加须经各方同意",
                    "field invitees_consented: whoever is invited needs the parties' consent",
                ),
            }
        }
        Event::ExtensionAgreed(event) => extension(event.until, today, state),
        Event::AgreementSigned(event) => performance(event.manner, event.perform_by, event.on),
        Event::OralAgreementRecorded(event) => performance(event.manner, event.perform_by, event.on),
        Event::TransferProposed(event) => {
            in_line_of_transfer(&event.to, &state.owner)?;
            if is_at_or_above(&event.to, &state.owner) {
                return refuse(
                    "转往上级须用“上报”",
                    "field to: to a unit above it is an escalation (EscalationProposed)",
                );
            }
            known(event.shared.as_slice(), state)
        }
        Event::TransferRouted(event) => match state.transfer.as_ref().map(|transfer| &transfer.to) {
            Some(to) if *to != event.to => Err(text!(
                "提出转往的是{to}",
                "field to: the transfer proposed is to {to}"
            )),
            _ => Ok(()),
        },
        Event::TransferConcluded(event) => {
            let routed = state
                .transfer
                .as_ref()
                .is_some_and(|transfer| transfer.document.is_some());
            match event.outcome == TransferOutcome::Accepted && !routed {
                true => refuse(
                    "尚未分流,不能登记为已接受",
                    "it has not been routed, so it can't have been accepted",
                ),
                false => Ok(()),
            }
        }
        Event::CaseClosed(event) => closing(act, event.result, state),
        Event::ResultReported(event) => reported(event.result, state),
        Event::Archived(_) => {
            let result = state.result.map_or("", Outcome::code);
            papers_complete(
                act.event,
                state,
                &[
                    tables().required_to_close(result),
                    tables().required_to_archive(result),
                ],
            )
        }
        Event::CaseReopened(_) => reopening(act, state),
        Event::RecordCorrected(event) => before(act, event.update),
        Event::ParticularsDisclosed(event) => {
            known(event.commitments.as_slice(), state)?;
            let restricted = event
                .commitments
                .iter()
                .any(|one| state.sealed(*one).is_some_and(|item| item.restricted));
            match restricted && !act.entry.signer.is_any(&[Role::JudicialClerk]) {
                true => refuse(
                    "限本单位查阅的材料,上级只有司法行政工作人员可以查阅",
                    "of what is for the handling unit alone, nobody above but a judicial clerk may read",
                ),
                false => Ok(()),
            }
        }
        Event::ParticularsErased(event) => known(event.commitments.as_slice(), state),
        _ => Ok(()),
    }
}

/// The day on which the event says that it happened.
fn said_day(event: &Event) -> Option<Day> {
    match event {
        Event::CaseRegistered(event) => event.on,
        Event::CaseAccepted(event) => event.on,
        Event::SessionHeld(event) => Some(event.on),
        Event::AgreementSigned(event) => Some(event.on),
        Event::OralAgreementRecorded(event) => Some(event.on),
        Event::ConfirmationApplied(event) => Some(event.on),
        Event::ConfirmationRuled(event) => Some(event.on),
        Event::FollowUpRecorded(event) => Some(event.on),
        _ => None,
    }
}

fn not_in_the_future(event: &Event, today: Date) -> Result<(), Text> {
    match said_day(event).map(Day::date) {
        Some(day) if day > today => Err(text!(
            "字段 on:{day} 晚于记录日期 {today}",
            "field on: {day} is later than the day of recording, {today}"
        )),
        _ => Ok(()),
    }
}

fn not_called_for(event: &Event, state: &CaseState) -> Result<(), Text> {
    match event {
        Event::TransferProposed(_) | Event::EscalationProposed(_) => {
            if state.owner.parent().is_none() && matches!(event, Event::EscalationProposed(_)) {
                return refuse("已是最高一级", "there is no level above");
            }
            refuse(
                "已有转办或上报待答复",
                "a transfer or an escalation is waiting for its answer already",
            )
        }
        Event::TransferRouted(_) | Event::TransferConcluded(_) => {
            refuse("没有相应的待办转办", "there is no transfer that waits for this")
        }
        Event::EscalationAccepted(_) | Event::EscalationReturned(_) => refuse(
            "没有待答复的上报",
            "there is no escalation that waits for an answer",
        ),
        Event::ConfirmationApplied(_) => refuse(
            "没有可申请确认的协议,或已申请",
            "there is no agreement to confirm, or it was applied for already",
        ),
        Event::ConfirmationRuled(_) => refuse(
            "没有待裁定的司法确认申请",
            "no application for confirmation waits for a ruling",
        ),
        Event::FollowUpRecorded(_) => refuse("没有可回访的协议", "there is no agreement to follow up"),
        Event::ResultReported(_) => refuse("结果已反馈", "the result was reported already"),
        Event::ResultAcknowledged(_) => {
            refuse("没有待签收的结果", "there is no reported result to acknowledge")
        }
        _ => Ok(()),
    }
}

fn distinct<T: Ord>(values: impl Iterator<Item = T>, field: &str) -> Result<(), Text> {
    let mut seen = BTreeSet::new();
    for value in values {
        if !seen.insert(value) {
            return Err(text!("字段 {field}:有重复", "field {field}: named twice"));
        }
    }
    Ok(())
}

fn in_line_of_transfer(to: &crate::unit::UnitCode, from: &crate::unit::UnitCode) -> Result<(), Text> {
    if to == from {
        return Err(text!(
            "不能转给{from}自己",
            "it can't be transferred to {from} itself"
        ));
    }
    match common_ancestor(to, from) {
        Some(_) => Ok(()),
        None => Err(text!(
            "{from}与{to}没有共同上级",
            "{from} and {to} have no unit above both"
        )),
    }
}

fn extension(until: Day, today: Date, state: &CaseState) -> Result<(), Text> {
    let until = until.date();
    match state.mediate_by {
        Some(due) if today > due => Err(text!(
            "调解期限已于{due}届满",
            "the term of mediation ended on {due}"
        )),
        Some(due) if until <= due => Err(text!(
            "字段 until:须晚于原期限{due}",
            "field until: must be later than the present term, {due}"
        )),
        _ if until > add_days(today, 366) => {
            refuse("字段 until:不得超过一年", "field until: must be within a year")
        }
        _ => Ok(()),
    }
}

fn performance(manner: PerformanceManner, by: Option<Day>, on: Day) -> Result<(), Text> {
    match by {
        None if manner != PerformanceManner::AtOnce => refuse(
            "字段 perform_by:非即时履行须写明期限",
            "field perform_by: is needed unless performed at once",
        ),
        Some(by) if by < on => refuse(
            "字段 perform_by:不得早于签订日期",
            "field perform_by: must not be before the agreement",
        ),
        _ => Ok(()),
    }
}

fn known(commitments: &[Commitment], state: &CaseState) -> Result<(), Text> {
    for commitment in commitments {
        match state.sealed(*commitment) {
            None => {
                return Err(text!(
                    "本案没有密封材料 {commitment}",
                    "this case has no sealed item {commitment}"
                ));
            }
            Some(item) if item.erased => {
                return Err(text!(
                    "密封材料 {commitment} 已删除",
                    "sealed item {commitment} is erased"
                ));
            }
            Some(_) => {}
        }
    }
    distinct(commitments.iter(), "commitments")
}

fn before(act: Act<'_, Event>, update: UpdateId) -> Result<(), Text> {
    let mut past = act.entry.past.iter().filter_map(|i| act.history.entries.get(i));
    match past.any(|entry| entry.update == update) {
        true => Ok(()),
        false => Err(text!(
            "此前没有更新 {update}",
            "there is no update {update} before this one"
        )),
    }
}

fn closing(act: Act<'_, Event>, result: Outcome, state: &CaseState) -> Result<(), Text> {
    let written = state.agreement.as_ref().map(|agreement| agreement.written);
    let fits = match result {
        Outcome::AgreementWritten => state.stage == Stage::Agreed && written == Some(true),
        Outcome::AgreementOral => state.stage == Stage::Agreed && written == Some(false),
        Outcome::Failed => state.stage == Stage::Failed,
        Outcome::Withdrawn => state.stage == Stage::Withdrawn,
        Outcome::Guided => state.stage == Stage::Guided,
    };
    if !fits {
        let (result, stage) = (result.title(), state.stage.title());
        let (zh, en, stage_zh, stage_en) = (result.zh, result.en, stage.zh, stage.en);
        return Err(text!(
            "字段 result:“{stage_zh}”阶段不能以“{zh}”结案",
            "field result: a case at stage \"{stage_en}\" can't be closed with \"{en}\""
        ));
    }
    papers_complete(act.event, state, &[tables().required_to_close(result.code())])?;
    let signer = &act.entry.signer;
    let mediator = state.handlers().contains(&signer.key);
    let chair = is_chair(signer, state.acting_unit());
    match state.closing.as_ref().filter(|closing| closing.what == result) {
        Some(closing) if (!mediator || closing.first) && (!chair || closing.second) => match closing.first {
            true => refuse(
                "调解员已签署,待主任签署",
                "the mediator has signed; the chair has to sign, too",
            ),
            false => refuse(
                "主任已签署,待调解员签署",
                "the chair has signed; the mediator has to sign, too",
            ),
        },
        _ => Ok(()),
    }
}

/// What is reported is what it came to. Of a case that was transferred away, that is known elsewhere.
fn reported(result: ReportedResult, state: &CaseState) -> Result<(), Text> {
    let known = match state.stage {
        Stage::Transferred => return Ok(()),
        Stage::Declined => ReportedResult::Declined.code(),
        _ => state.result.map_or("", Outcome::code),
    };
    match result.code() == known {
        true => Ok(()),
        false => Err(text!(
            "字段 result:本案结果为 {known}",
            "field result: the case came to {known}"
        )),
    }
}

fn reopening(act: Act<'_, Event>, state: &CaseState) -> Result<(), Text> {
    let signer = &act.entry.signer;
    let chair = is_chair(signer, state.acting_unit());
    let supervisor = supervisor(state.acting_unit());
    let office = signer.is_any(&[Role::JudicialClerk]) && is_at_or_above(&signer.unit, &supervisor);
    match &state.reopening {
        Some(known) if (!chair || known.first) && (!office || known.second) => match known.first {
            true => Err(text!(
                "主任已签署,待{supervisor}司法所同意",
                "the chair has signed; the judicial office of {supervisor} has to approve"
            )),
            false => refuse(
                "司法所已同意,待主任签署",
                "the judicial office has approved; the chair has to sign, too",
            ),
        },
        _ => Ok(()),
    }
}

fn papers_complete(event: &Event, state: &CaseState, required: &[&[String]]) -> Result<(), Text> {
    let supplied = papers_of(event);
    let missing: Vec<&str> = required
        .iter()
        .flat_map(|list| state.missing(list, &supplied))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let titles: Vec<Text> = missing
        .iter()
        .map(|code| {
            let known = tables().papers.iter().find(|paper| paper.code == **code);
            known.map_or_else(|| Text::new(*code, *code), |paper| paper.title.clone())
        })
        .collect();
    let zh = titles
        .iter()
        .map(|text| text.zh.as_str())
        .collect::<Vec<_>>()
        .join("、");
    let en = titles
        .iter()
        .map(|text| text.en.as_str())
        .collect::<Vec<_>>()
        .join(", ");
    let codes = missing.join(", ");
    Err(text!(
        "卷宗缺:{zh}(可用字段 papers 注明已入纸质卷宗:{codes})",
        "the file lacks: {en} (say in field papers if they are in the paper file: {codes})"
    ))
}
