//! What happens: three cases, a cut link, two decisions that exclude one another, a revocation, an
//! erasure; and the checks that all of it came out as it should.

use anjuan_node::authority::role::Role;
use anjuan_node::kind::catalog::EventSpec;
use anjuan_node::service::call::{
    History, List, OperatorRevoke, ParticularsErase, ParticularsRead, Seal, Status, Verify,
};
use anjuan_node::service::{ServiceError, view};
use anjuan_node::text;
use anjuan_node::text::Text;
use serde_json::{Value, json};

use super::Outcome;
use super::family::{CITY, COUNTY, Family, TOWN, UNITS, VILLAGE, name, sign};
use super::teller::Teller;

/// The village's people: one is chair and mediator, the other a mediator.
const CHAIR: &str = "chair";
const MEDIATOR: &str = "mediator";
/// The judicial clerk and chair of the town.
const CLERK: &str = "clerk";

struct Story<'s, 'c> {
    family: &'s mut Family,
    teller: &'s Teller<'c>,
}

/// Lives through the story on a family of four.
pub(super) fn tell(family: &mut Family, teller: &Teller<'_>) -> Result<Outcome, ServiceError> {
    let mut story = Story { family, teller };
    let late_mediator = story.people()?;
    let cases = story.three_cases(&late_mediator.key)?;
    story
        .teller
        .chapter(&Text::new("三、断网", "3. The village's link is cut"));
    story.family.cut();
    let cut = story.family.wait(|family| Ok(!family.village_is_connected()?))?;
    let (village, town) = (name(VILLAGE), name(TOWN));
    story.teller.shown(
        cut,
        &text!("{village}与{town}断开", "{village}: no link to {town}"),
    );
    story.apart(&cases, &late_mediator)?;
    let mut outcome = story.together(&cases)?;
    story.erase(&cases, &mut outcome)?;
    story.check(&mut outcome)?;
    Ok(outcome)
}

/// The three cases, by document id.
struct Cases {
    land: String,
    wages: String,
    family: String,
    /// The commitment to the applicant's particulars in the land case.
    applicant: String,
}

fn party(pointer: usize, name: &str, id_number: &str, phone: &str) -> Seal {
    Seal {
        pointer: format!("/parties/{pointer}/commitment"),
        particulars: json!({ "person": { "name": name, "id-number": id_number, "phone": phone } }),
    }
}

fn registered(category: &str, brief: &str, facts: &str, source: &str) -> Value {
    json!({
        "type": "CaseRegistered", "source": source, "category": category, "brief": brief, "facts": facts,
        "parties": [{ "role": "applicant", "kind": "person" }, { "role": "respondent", "kind": "person" }],
    })
}

impl Story<'_, '_> {
    fn title(&self, event: &str) -> String {
        let case = anjuan_node::kind::kind("case");
        let spec: Option<&EventSpec> =
            case.and_then(|kind| kind.catalog().iter().find(|spec| spec.name == event));
        spec.map_or_else(
            || event.to_owned(),
            |spec| spec.title.in_lang(self.teller.lang()).to_owned(),
        )
    }

    /// Records an event and tells it.
    fn record(
        &self,
        unit: &str,
        operator: &str,
        case: &str,
        event: Value,
    ) -> Result<view::Recorded, ServiceError> {
        let title = self.title(event["type"].as_str().unwrap_or_default());
        let recorded = self
            .family
            .record(unit, operator, Some(case), event, Vec::new())?;
        let (stage, id) = (&recorded.stage_title, &case[..8]);
        self.teller.happened(
            unit,
            &Text::new(
                format!("{id} {title} → {}", stage.zh),
                format!("{id} {title} → {}", stage.en),
            ),
        );
        Ok(recorded)
    }

    fn people(&mut self) -> Result<view::Operator, ServiceError> {
        self.family
            .operator(VILLAGE, CHAIR, "陈桂芳", &[Role::Chair, Role::Mediator])?;
        let mediator = self
            .family
            .operator(VILLAGE, MEDIATOR, "黄志强", &[Role::Mediator])?;
        self.family
            .operator(TOWN, CLERK, "李晓明", &[Role::JudicialClerk, Role::Chair])?;
        self.family
            .operator(COUNTY, CLERK, "梁文斌", &[Role::JudicialClerk, Role::Router])?;
        self.teller.happened(
            VILLAGE,
            &Text::new(
                "陈桂芳(主任、调解员)、黄志强(调解员)取得证书",
                "a committee chair and a mediator get their certificates",
            ),
        );
        let level = self.family.level()?;
        self.teller.shown(
            level,
            &Text::new("四级的证书一致", "certificates are level on all four"),
        );
        Ok(mediator)
    }

    fn register(&self, event: Value, seal: Vec<Seal>) -> Result<String, ServiceError> {
        let brief = event["brief"].as_str().unwrap_or_default().to_owned();
        let recorded = self.family.record(VILLAGE, CHAIR, None, event, seal)?;
        let id = recorded.document[..8].to_owned();
        self.teller
            .happened(VILLAGE, &text!("{id} 登记:{brief}", "{id} registered: {brief}"));
        Ok(recorded.document)
    }

    fn three_cases(&mut self, mediator: &str) -> Result<Cases, ServiceError> {
        self.teller
            .chapter(&Text::new("二、三起纠纷", "2. Three disputes are taken in"));
        let land = self.register(
            registered(
                "land",
                "两户田埂界限不清",
                "双方对田埂归属各执一词,请求村委会调解。",
                "applied",
            ),
            vec![
                party(0, "甲某", "450902198001011230", "13800000001"),
                party(1, "乙某", "450902197502022347", "13800000002"),
            ],
        )?;
        let wages = self.register(
            registered(
                "migrant-wages",
                "工程结束拖欠工资",
                "十二名工人反映工程结束三个月未结清工资。",
                "screening",
            ),
            vec![
                party(0, "丙某", "450902199003033454", "13800000003"),
                party(1, "丁某", "450902196804044563", "13800000004"),
            ],
        )?;
        let family = self.register(
            registered(
                "family",
                "兄弟赡养父母分担不均",
                "兄弟三人对父母赡养费分担有分歧。",
                "proactive",
            ),
            vec![
                party(0, "戊某", "450902198505055675", "13800000005"),
                party(1, "己某", "450902198806066781", "13800000006"),
            ],
        )?;
        for case in [&land, &wages, &family] {
            let accepted = json!({
                "type": "CaseAccepted", "consent": true, "rights_notice": true, "no_exclusion": true,
            });
            self.record(VILLAGE, CHAIR, case, accepted)?;
        }
        let chair = self.family.call(VILLAGE, Status { scope: None })?.operators;
        let chair = chair
            .iter()
            .find(|one| one.handle.as_deref() == Some(CHAIR))
            .map(|one| one.key.clone());
        let chair = chair.unwrap_or_default();
        for (case, key, operator) in [
            (&land, &chair, CHAIR),
            (&wages, &chair, CHAIR),
            (&family, &mediator.to_owned(), MEDIATOR),
        ] {
            self.record(
                VILLAGE,
                CHAIR,
                case,
                json!({ "type": "CaseAssigned", "mediators": [key] }),
            )?;
            let confirmed = json!({ "type": "AssignmentConfirmed", "no_interest": true });
            self.record(VILLAGE, operator, case, confirmed)?;
        }
        self.record(
            VILLAGE,
            CHAIR,
            &wages,
            json!({
                "type": "EscalationProposed",
                "steps_tried": "已两次上门,用工单位不配合。",
                "reason": "涉及十二人,需镇级协调劳动监察。",
            }),
        )?;
        let applicant = self
            .family
            .case(VILLAGE, &land)?
            .particulars
            .first()
            .map(|one| one.commitment.clone());
        let level = self.family.level()?;
        self.teller
            .shown(level, &Text::new("四级一致", "all four are level"));
        Ok(Cases {
            land,
            wages,
            family,
            applicant: applicant.unwrap_or_default(),
        })
    }

    /// Work on both sides of the cut.
    fn apart(&self, cases: &Cases, mediator: &view::Operator) -> Result<(), ServiceError> {
        let prepared = json!({ "type": "Prepared", "plan": "现场踏勘,以旧石为界分段商量。", "notified": 2 });
        self.record(VILLAGE, CHAIR, &cases.land, prepared)?;
        self.record(
            VILLAGE,
            CHAIR,
            &cases.land,
            json!({
                "type": "SessionHeld", "on": today(), "attendance": 4,
                "record": "现场踏勘,双方同意以旧石为界。", "result": "agreed",
            }),
        )?;
        // The village ends what its town takes over.
        let withdrew =
            json!({ "type": "PartyWithdrew", "party": "applicant", "reason": "用工单位已先行垫付。" });
        self.record(VILLAGE, CHAIR, &cases.wages, withdrew)?;
        let closed =
            json!({ "type": "CaseClosed", "result": "withdrawn", "report": "申请人撤回,工资已垫付。" });
        self.record(VILLAGE, CHAIR, &cases.wages, closed)?;
        let accepted = json!({ "type": "EscalationAccepted", "note": "镇司法所接办。" });
        self.record(TOWN, CLERK, &cases.wages, accepted)?;
        // The town revokes a mediator who goes on recording where nobody has heard of it.
        self.family.call(
            TOWN,
            OperatorRevoke {
                operator: mediator.certificate.clone(),
                reason: "调离".into(),
                since: None,
                passphrase: None,
            },
        )?;
        self.teller.happened(
            TOWN,
            &Text::new(
                "吊销黄志强的证书(调离)",
                "the mediator's certificate is revoked: moved away",
            ),
        );
        let message = json!({ "type": "MessageSent", "text": "已与三兄弟约定下周面谈。" });
        self.record(VILLAGE, MEDIATOR, &cases.family, message)?;
        Ok(())
    }

    /// The link is back: level, the conflict shown and decided, the late update quarantined.
    fn together(&mut self, cases: &Cases) -> Result<Outcome, ServiceError> {
        self.teller
            .chapter(&Text::new("四、恢复连接", "4. The link comes back"));
        self.family.restore()?;
        let level = self.family.level()?;
        self.teller
            .shown(level, &Text::new("四级一致", "all four are level"));

        let shown = UNITS.iter().all(|unit| {
            let case = self.family.case(unit, &cases.wages);
            case.is_ok_and(|case| case.line.needs_decision)
        });
        self.teller.shown(
            shown,
            &Text::new(
                "村里结案与镇里接办相互排斥:四级都显示“待决”",
                "the village closed what its town took over: all four show \"needs a decision\"",
            ),
        );
        let case = self.family.case(VILLAGE, &cases.wages)?;
        let kept = case.conflicts.iter().flat_map(|conflict| &conflict.choices);
        let mut kept = kept
            .filter(|choice| choice.event == "EscalationAccepted")
            .map(|choice| choice.update.clone());
        let decided = json!({
            "type": "ConflictResolved", "kept": kept.next_back().unwrap_or_default(),
            "reason": "尚有工人未领到工资,由镇里继续办理。",
        });
        self.record(VILLAGE, CHAIR, &cases.wages, decided)?;
        self.family.level()?;
        let resolved = UNITS.iter().all(|unit| {
            let case = self.family.case(unit, &cases.wages);
            case.is_ok_and(|case| !case.line.needs_decision && case.line.owner.code.as_str() == TOWN)
        });
        self.teller.shown(
            resolved,
            &Text::new(
                "主任裁定保留镇里接办,四级结果相同",
                "the chair keeps the town's decision; all four agree that the town handles it",
            ),
        );
        let quarantined: Vec<_> = UNITS
            .iter()
            .map(|unit| self.quarantined(unit, &cases.family))
            .collect::<Result<_, _>>()?;
        let count = quarantined.first().copied().unwrap_or_default();
        let alike = quarantined.iter().all(|one| *one == count);
        self.teller.shown(
            alike && count > 0,
            &text!(
                "吊销之后的记录 {count} 条,保留并隔离,四级相同",
                "updates after the revocation: {count}, kept and quarantined, on all four alike"
            ),
        );
        Ok(Outcome {
            nodes: UNITS.len() as u64,
            converged: level,
            conflict_shown: shown,
            conflict_resolved: resolved,
            quarantined: if alike { count } else { 0 },
            ..Outcome::default()
        })
    }

    fn quarantined(&self, unit: &str, case: &str) -> Result<u64, ServiceError> {
        let history = self.family.call(
            unit,
            History {
                kind: "case".into(),
                document: case.into(),
            },
        )?;
        let entries = history.entries.iter();
        Ok(entries
            .filter(|entry| entry.standing == view::Standing::Quarantined)
            .count() as u64)
    }

    fn erase(&self, cases: &Cases, outcome: &mut Outcome) -> Result<(), ServiceError> {
        self.teller.chapter(&Text::new("五、个人信息", "5. Particulars"));
        let read = |unit: &str, operator: &str| {
            self.family.call(
                unit,
                ParticularsRead {
                    document: cases.land.clone(),
                    commitment: cases.applicant.clone(),
                    reason: None,
                    sign: sign(operator),
                },
            )
        };
        let (village, town) = (read(VILLAGE, CHAIR).is_ok(), read(TOWN, CLERK).is_ok());
        let county = read(COUNTY, CLERK).is_err();
        self.teller.shown(
            village && town && county,
            &Text::new(
                "承办村和指导的镇可查阅,县里不说明理由不能查阅",
                "readable where it is handled and supervised; not at the county without a reason",
            ),
        );
        self.family.call(
            VILLAGE,
            ParticularsErase {
                document: cases.land.clone(),
                commitment: cases.applicant.clone(),
                basis: "consent-withdrawn".into(),
                reference: "个人信息保护法第四十七条".into(),
                sign: sign(CHAIR),
            },
        )?;
        self.teller.happened(
            VILLAGE,
            &Text::new(
                "依法删除申请人的个人信息",
                "the applicant's particulars are erased on a legal basis",
            ),
        );
        let gone = |family: &Family| -> Result<bool, ServiceError> {
            for unit in UNITS {
                let case = family.case(unit, &cases.land)?;
                let one = case
                    .particulars
                    .iter()
                    .find(|one| one.commitment == cases.applicant);
                if !one.is_some_and(|one| one.erased && !one.held) {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        outcome.erased = village && town && county && self.family.wait(gone)?;
        self.teller.shown(
            outcome.erased,
            &Text::new(
                "四级都已删除,历史仍可验证",
                "they are gone from all four nodes; the history still verifies",
            ),
        );
        Ok(())
    }

    fn check(&self, outcome: &mut Outcome) -> Result<(), ServiceError> {
        self.teller
            .chapter(&Text::new("六、验证", "6. Every node checks everything"));
        outcome.converged &= self.family.level()?;
        outcome.root_digests = self.family.digests()?;
        let state = |unit: &str| -> Result<String, ServiceError> {
            let cases = self.family.call(
                unit,
                List {
                    kind: "case".into(),
                    filter: view::Filter::default(),
                },
            )?;
            let mut states = Vec::new();
            for line in cases.documents {
                let case = self.family.case(unit, &line.document)?;
                states.push(json!([line.document, case.state, case.heads]));
            }
            Ok(Value::from(states).to_string())
        };
        let city = state(CITY)?;
        for unit in UNITS {
            outcome.converged &= state(unit)? == city;
        }
        outcome.verified = true;
        for unit in UNITS {
            let found = self.family.call(unit, Verify {})?;
            outcome.verified &= found.ok;
            let (updates, credentials, documents) = (found.updates, found.credentials, found.documents);
            let name = name(unit);
            self.teller.shown(
                found.ok,
                &text!(
                    "{name}:{updates} 条签名、{credentials} 份证书、{documents} 份案卷",
                    "{name}: {updates} signatures, {credentials} credentials, {documents} documents"
                ),
            );
        }
        let digest = outcome.root_digests.values().next().cloned().unwrap_or_default();
        let short = digest.get(..16).unwrap_or_default();
        self.teller.shown(
            outcome.converged,
            &text!("四级摘要相同:{short}…", "one digest on all four: {short}…"),
        );
        let status = self.family.call(CITY, Status { scope: None })?;
        outcome.updates = status.store.updates;
        outcome.cases = status.store.documents.get("case").copied().unwrap_or_default();
        Ok(())
    }
}

fn today() -> String {
    anjuan_node::calendar::local_date(anjuan_node::service::system_clock()).to_string()
}
