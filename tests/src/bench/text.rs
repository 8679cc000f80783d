//! Texts as long as people write them, and about as hard to compress.

use rand::RngExt as _;
use rand::rngs::StdRng;

const WORDS: [&str; 64] = [
    "调解",
    "双方",
    "当事人",
    "宅基地",
    "边界",
    "排水",
    "邻里",
    "协议",
    "履行",
    "现场",
    "查看",
    "村委会",
    "赔偿",
    "损失",
    "承包地",
    "林权",
    "道路",
    "通行",
    "婚姻",
    "赡养",
    "劳务",
    "欠款",
    "一致",
    "意见",
    "申请人",
    "被申请人",
    "经过",
    "核实",
    "属实",
    "要求",
    "同意",
    "不同意",
    "另一方",
    "认为",
    "当时",
    "多年",
    "历史",
    "形成",
    "老屋",
    "墙脚",
    "雨季",
    "积水",
    "沟渠",
    "淤塞",
    "费用",
    "分担",
    "各自",
    "承担",
    "村民小组",
    "组长",
    "到场",
    "劝说",
    "情绪",
    "稳定",
    "反复",
    "下次",
    "再谈",
    "约定",
    "时间",
    "之前",
    "付清",
    "收据",
    "合同",
    "附图",
];
/// Characters that are used beside the words; the first ones much more often than the last.
const CHARACTERS: f64 = 1_000.0;

/// About so many characters: less than half of them in words that come again, the others by themselves, some
/// often and most seldom. That comes to some five bits of chance for a character, about what is counted in
/// Chinese prose.
pub(super) fn prose(rng: &mut StdRng, characters: usize) -> String {
    let mut text = String::with_capacity(characters * 3 + 16);
    let mut count = 0;
    let mut clause = 0;
    while count < characters {
        let before = count;
        if rng.random_bool(0.4) {
            let skewed = rng.random::<f64>() * rng.random::<f64>();
            let word = WORDS[(skewed * WORDS.len() as f64) as usize];
            text.push_str(word);
            count += word.chars().count();
        } else {
            let rank = (rng.random::<f64>() * rng.random::<f64>() * CHARACTERS) as u32;
            text.extend(char::from_u32(0x4e00 + rank * 7_919 % 20_000));
            count += 1;
        }
        clause += count - before;
        if clause > 8 && rng.random_bool(0.25) {
            text.push(if rng.random_bool(0.7) { ',' } else { '。' });
            count += 1;
            clause = 0;
        }
    }
    text.push('。');
    text
}
